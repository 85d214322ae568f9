// Timers interrupt first calls every millisecond: their handlers make first calls, return, or jump out for good.
//# link: -pthread
//# linkers: mold
//# prints: profiled 1000 functions, enough ticks 1
//# prints: jumped out, all values right 1
//# prints: mask empty 1
//# lazy: in_tick in_jump
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n - 1000; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
#define FIRST HUNDRED(10) HUNDRED(11) HUNDRED(12) HUNDRED(13) HUNDRED(14) HUNDRED(15) HUNDRED(16) HUNDRED(17) HUNDRED(18) HUNDRED(19)
#define SECOND HUNDRED(20) HUNDRED(21) HUNDRED(22) HUNDRED(23) HUNDRED(24) HUNDRED(25) HUNDRED(26) HUNDRED(27) HUNDRED(28) HUNDRED(29)
FIRST SECOND
#undef F
#define F(n) f##n,
static int (*const first[])(int) = {FIRST}, (*const second[])(int) = {SECOND};
enum { COUNT = 1000 };

static volatile sig_atomic_t ticks;
static sigjmp_buf out;
static volatile int jumps;

int in_tick(int x) { return x + 1; }
int in_jump(int x) { return x + 1; }

static void tick(int number) { (void)number, ticks = in_tick(ticks); }
static void jump(int number) { (void)number, jumps = in_jump(jumps), siglongjmp(out, 1); }

static void timer(int which, long microseconds) {
    setitimer(which, &(struct itimerval){{0, microseconds}, {0, microseconds}}, NULL);
}

int main(void) {
    int right = 0;
    signal(SIGPROF, tick);
    timer(ITIMER_PROF, 1000);
    for (int i = 0; i < COUNT; i++) right += first[i](0) == i;
    while (ticks < 5) {}
    timer(ITIMER_PROF, 0);
    printf("profiled %d functions, enough ticks %d\n", right, ticks >= 5);

    volatile int next = 0, wrong = 0;
    signal(SIGALRM, jump);
    sigsetjmp(out, 1);
    timer(ITIMER_REAL, 1000);
    while (next < COUNT || jumps < 5) {
        int i = next % COUNT;
        wrong += second[i](0) != i + COUNT;
        next++;
    }
    timer(ITIMER_REAL, 0);
    for (int i = 0; i < COUNT; i++) wrong += second[i](0) != i + COUNT;
    printf("jumped out, all values right %d\n", wrong == 0);
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    printf("mask empty %d\n", !sigismember(&mask, SIGALRM) && !sigismember(&mask, SIGPROF) && !sigismember(&mask, SIGINT));
    return 0;
}
