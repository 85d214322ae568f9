// setjmp in lazy frames and longjmp over lazy and plain ones, from another file, through callbacks, back into a frame
// several times, with variables that must survive; the compiler's own pair; out of a thread's first call.
//# sources: jumping.c
//# mix
//# link: -pthread
//# linkers: lld
//# prints: other file 1
//# prints: over callbacks 2
//# prints: again and again 3
//# prints: volatile 42 parameter 7
//# prints: compiler's own 5
//# prints: nested 6 then 7
//# prints: masks 1 1
//# prints: in a thread 8
//# lazy: main again_and_again keeps own_pair
//# refuses: __builtin_setjmp
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "jumping.h"

#define NOINLINE __attribute__((noinline))

static jmp_buf outer, inner;
static int compare(const void *a, const void *b) { return jump_over(outer, *(const int *)a - *(const int *)b), 0; }

NOINLINE int again_and_again(void) {
    volatile int times = 0;
    if (setjmp(outer) < 3) jump(outer, ++times);
    return times;
}
NOINLINE int keeps(int parameter, volatile int *kept) {
    volatile int local = 41;
    if (!setjmp(outer)) {
        local++;
        jump_deep(outer, 20);
    }
    *kept = local;
    return parameter;
}
static void *words[5];
NOINLINE static void own_jump(void) { __builtin_longjmp(words, 1); }
NOINLINE int own_pair(void) {
    volatile int value = 4;
    if (__builtin_setjmp(words)) return value + 1;
    own_jump();
    return 0;
}
NOINLINE static int nested(int *first) {
    int value = setjmp(outer);
    if (!value) {
        *first = setjmp(inner);
        if (!*first) jump(inner, 6);
        jump(outer, 7);
    }
    return value;
}
NOINLINE static int blocked(void) {
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    return sigismember(&now, SIGUSR1);
}
static void *in_thread(void *unused) {
    jmp_buf own;
    volatile long value = 7;
    if (!setjmp(own)) jump_deep(own, 3);
    return (void)unused, (void *)(value + 1);
}

int main(void) {
    volatile int value = setjmp(outer);
    if (!value) jump(outer, 1);
    printf("other file %d\n", value);
    int numbers[] = {3, 2, 1};
    value = setjmp(outer);
    if (!value) qsort(numbers, 3, sizeof *numbers, compare);
    printf("over callbacks %d\n", value);
    printf("again and again %d\n", again_and_again());
    volatile int kept = 0;
    int parameter = keeps(7, &kept);
    printf("volatile %d parameter %d\n", kept, parameter);
    printf("compiler's own %d\n", own_pair());
    int first = 0, second = nested(&first);
    printf("nested %d then %d\n", first, second);
    sigjmp_buf masks;
    sigset_t usr1;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    volatile int during = 0;
    if (!sigsetjmp(masks, 1)) {
        sigprocmask(SIG_BLOCK, &usr1, NULL);
        during = blocked();
        siglongjmp(masks, 1);
    }
    printf("masks %d %d\n", during, !blocked());
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, in_thread, NULL);
    pthread_join(thread, &result);
    printf("in a thread %ld\n", (long)result);
    return 0;
}
