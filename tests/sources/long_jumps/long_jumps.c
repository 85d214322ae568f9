// longjmp out of first calls, over many lazy frames, over qsort, and out of a signal handler.
//# prints: first 1
//# prints: deep 10
//# prints: over qsort 3
//# prints: signal 5 usable 42
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf target;
static sigjmp_buf signal_target;

void jump(int value) { longjmp(target, value); }
static void deep(int depth) {
    if (depth) deep(depth - 1);
    else jump(10);
    puts("never printed");
}
static int compare(const void *a, const void *b) {
    (void)a, (void)b;
    jump(3);
    return 0;
}
static void handler(int number) { siglongjmp(signal_target, number == SIGUSR1 ? 5 : 6); }
int usable(int x) { return x * 2; }

int main(void) {
    volatile int value;
    if ((value = setjmp(target)) == 0) jump(1);
    printf("first %d\n", value);
    if ((value = setjmp(target)) == 0) deep(100);
    printf("deep %d\n", value);
    int numbers[] = {3, 2, 1};
    if ((value = setjmp(target)) == 0) qsort(numbers, 3, sizeof *numbers, compare);
    printf("over qsort %d\n", value);
    signal(SIGUSR1, handler);
    if ((value = sigsetjmp(signal_target, 1)) == 0) raise(SIGUSR1);
    printf("signal %d usable %d\n", value, usable(21));
    return 0;
}
