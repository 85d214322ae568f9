// Processes that end, in every way, while other threads of theirs compile.
//# link: -pthread
//# linkers: bfd
//# prints: exit: status 3, 10 of 10, handlers 10
//# prints: _exit: status 4, 10 of 10, handlers 0
//# prints: quick_exit: status 5, 10 of 10, handlers 10
//# prints: abort: signal 6, 10 of 10, handlers 0
//# prints: kill: signal 15, 10 of 10, handlers 0
//# prints: return: status 6, 10 of 10, handlers 10
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n - 1000; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
#define ALL HUNDRED(10) HUNDRED(11) HUNDRED(12) HUNDRED(13) HUNDRED(14)
ALL
#undef F
#define F(n) f##n,
static int (*const all[])(int) = {ALL};
enum { COUNT = sizeof all / sizeof *all, THREADS = 3 };

static int *handlers;
int at_exit_work(int x) { return x + 1; }
int at_quick_exit_work(int x) { return x + 1; }
static void handler(void) { *handlers += at_exit_work(0); }
static void quick_handler(void) { *handlers += at_quick_exit_work(0); }

static void *compile_all(void *number) {
    volatile int sink = 0;
    for (;;)
        for (int i = 0; i < COUNT; i++) sink = all[(i + (long)number * 100) % COUNT](0);
    return (void *)(long)sink;
}

static int child(int way, int delay) {
    pthread_t thread;
    atexit(handler);
    at_quick_exit(quick_handler);
    for (long i = 0; i < THREADS; i++) pthread_create(&thread, NULL, compile_all, (void *)i);
    usleep((useconds_t)delay);
    switch (way) {
    case 0: exit(3);
    case 1: _exit(4);
    case 2: quick_exit(5);
    case 3: abort();
    case 4: raise(SIGTERM);
    }
    return 6;
}

int main(void) {
    static const char *const names[] = {"exit", "_exit", "quick_exit", "abort", "kill", "return"};
    handlers = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int way = 0; way < 6; way++) {
        int same = 0, first = 0;
        fflush(stdout);
        *handlers = 0;
        for (int round = 0; round < 10; round++) {
            pid_t pid = fork();
            if (pid == 0) return child(way, 700 * round);
            int status;
            waitpid(pid, &status, 0);
            first = round ? first : status;
            same += status == first;
        }
        printf("%s: %s %d, %d of 10, handlers %d\n", names[way], WIFEXITED(first) ? "status" : "signal",
               WIFEXITED(first) ? WEXITSTATUS(first) : WTERMSIG(first), same, *handlers);
    }
    return 0;
}
