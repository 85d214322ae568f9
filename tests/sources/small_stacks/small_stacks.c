// First calls on the smallest stacks: of threads, of contexts, and the signal stack after an overflow.
//# link: -pthread
//# linkers: lld
//# prints: smallest thread 3
//# prints: contexts 0 1 2 3 4 5 6 7
//# prints: overflow noticed 5 on the signal stack 1
//# prints: overflow noticed 5 on the signal stack 1 in a thread
//# lazy: in_thread in_context in_overflow overflow
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <ucontext.h>
#include <unistd.h>

int in_thread(int x) { return x + 3; }
int in_context(int x) { return x + (int)strlen("") + abs(0); }
int in_overflow(int x) { return x + 5; }
int in_overflow_again(int x) { return x + 5; }

static void *thread(void *result) {
    *(int *)result = in_thread(0);
    return NULL;
}

static void smallest_thread(void) {
    pthread_attr_t attributes;
    pthread_t id;
    int result = 0;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)sysconf(_SC_THREAD_STACK_MIN));
    pthread_create(&id, &attributes, thread, &result);
    pthread_join(id, NULL);
    printf("smallest thread %d\n", result);
}

enum { CONTEXTS = 4, SIZE = 16 << 10 };
static ucontext_t back, contexts[CONTEXTS];

/// Each context makes a first call of a function of its own, yields, and makes another.
#define STEPS(n) \
    int first##n(int x) { return in_context(x + n); } \
    int second##n(int x) { return in_context(x + n + CONTEXTS); }
STEPS(0) STEPS(1) STEPS(2) STEPS(3)
static int (*const firsts[])(int) = {first0, first1, first2, first3};
static int (*const seconds[])(int) = {second0, second1, second2, second3};
static int values[2 * CONTEXTS];

static void coroutine(int number) {
    values[number] = firsts[number](0);
    swapcontext(&contexts[number], &back);
    values[number + CONTEXTS] = seconds[number](0);
}

static void small_contexts(void) {
    for (int i = 0; i < CONTEXTS; i++) {
        getcontext(&contexts[i]);
        contexts[i].uc_stack.ss_sp = malloc(SIZE);
        contexts[i].uc_stack.ss_size = SIZE;
        contexts[i].uc_link = &back;
        makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < CONTEXTS; i++) swapcontext(&back, &contexts[i]);
    printf("contexts");
    for (int i = 0; i < 2 * CONTEXTS; i++) printf(" %d", values[i]);
    puts("");
}

static sigjmp_buf out;
static volatile int on_stack;
static int (*volatile handler_work)(int);
static char *alternative;
static size_t alternative_size;

static void overflowed(int number) {
    char here;
    (void)number;
    on_stack = &here >= alternative && &here < alternative + alternative_size;
    siglongjmp(out, handler_work(0));
}

__attribute__((noinline)) int overflow(volatile char *previous) {
    volatile char block[4096];
    block[0] = previous ? previous[0] : 0;
    return block[0] + overflow(block) + block[1];
}

static void overflow_here(const char *where) {
    alternative_size = (size_t)sysconf(_SC_SIGSTKSZ);
    alternative = malloc(alternative_size);
    sigaltstack(&(stack_t){.ss_sp = alternative, .ss_size = alternative_size}, NULL);
    sigaction(SIGSEGV, &(struct sigaction){.sa_handler = overflowed, .sa_flags = SA_ONSTACK}, NULL);
    int value = sigsetjmp(out, 1);
    if (value == 0) overflow(NULL);
    printf("overflow noticed %d on the signal stack %d%s\n", value, on_stack, where);
}

static void *overflow_in_thread(void *unused) {
    handler_work = in_overflow_again;
    overflow_here(" in a thread");
    return unused;
}

int main(void) {
    pthread_t id;
    smallest_thread();
    small_contexts();
    setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 20, RLIM_INFINITY});
    handler_work = in_overflow;
    overflow_here("");
    pthread_create(&id, NULL, overflow_in_thread, NULL);
    pthread_join(id, NULL);
    return 0;
}
