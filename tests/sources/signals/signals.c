// First calls inside signal handlers: on the ordinary stack, on a small signal stack, and while the program is in malloc.
//# prints: ordinary 1 21
//# prints: small stack 2 on it 1
//# prints: errno 12 kept 1
//# prints: from a fault 4
//# prints: ticks enough
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

static volatile int result, on_stack, ticks;
static char stack[16384];
static sigjmp_buf back;

int in_ordinary(int x) { return x + 1; }
int in_small(int x) { return x + 2; }
int in_fault(int x) { return x + 4; }
int in_tick(int x) { return x + 1; }

static void ordinary(int number, siginfo_t *info, void *context) {
    (void)info, (void)context;
    result = in_ordinary(number == SIGUSR1 ? 0 : 100);
}
static void small(int number) {
    char here;
    result = in_small(number == SIGUSR2 ? 0 : 100);
    on_stack = &here >= stack && &here < stack + sizeof stack;
}
static void fault(int number) { siglongjmp(back, in_fault(number == SIGSEGV ? 0 : 100)); }
static void tick(int number) { (void)number, ticks = in_tick(ticks); }

int main(void) {
    sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = ordinary, .sa_flags = SA_SIGINFO}, NULL);
    raise(SIGUSR1);
    printf("ordinary %d %d\n", result, in_ordinary(20));
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    sigaction(SIGUSR2, &(struct sigaction){.sa_handler = small, .sa_flags = SA_ONSTACK}, NULL);
    errno = 12;
    raise(SIGUSR2);
    int kept = errno == 12;
    printf("small stack %d on it %d\n", result, on_stack);
    printf("errno %d kept %d\n", 12, kept);
    sigaction(SIGSEGV, &(struct sigaction){.sa_handler = fault, .sa_flags = SA_ONSTACK}, NULL);
    int value = sigsetjmp(back, 1);
    if (value == 0) *(volatile int *)NULL = 1;
    printf("from a fault %d\n", value);
    signal(SIGALRM, tick);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 1000}, {0, 1000}}, NULL);
    while (ticks < 20) free(malloc(100));
    puts("ticks enough");
    return 0;
}
