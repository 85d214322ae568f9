// What is needed behind setjmp is needed again when it returns again, whatever was computed since its last use.
//# levels: o0_g o1 o2 o3_g os
//# prints: 59775
//# prints: 2.5 8 43
#include <setjmp.h>
#include <stdio.h>

static jmp_buf again;

__attribute__((noinline)) static long use(long a) { return a * 3; }
__attribute__((noinline)) static void jump(long a, int times) {
    if (times < 3) longjmp(again, (int)(a & 7) + 1);
}

// The last use of a and b is in front of what is computed then.
__attribute__((noinline)) static long arguments(long a, long b, double c) {
    volatile int times = 0;
    setjmp(again);
    times = times + 1;
    long first = use(a) + use(b) * (long)c;
    long second = use(first ^ 5), third = use(second + 1), fourth = use(third ^ second);
    jump(use(second) + third + fourth, times);
    return first * 1000 + second + third + fourth + times;
}

// The same in a loop, for what it changes between calls of setjmp.
__attribute__((noinline)) static long in_loop(double *half, long *sum, int rounds) {
    volatile int times = 0;
    long last = 0;
    for (int round = 0; round < rounds; round++) {
        long here = use(round);
        double there = *half + round;
        times = 0;
        setjmp(again);
        times = times + 1;
        long next = use(here) + (long)there;
        long later = use(next), latest = use(later ^ next);
        jump(later + latest, times);
        last = next + (long)(there * 2);
        *sum += last > 10;
    }
    return last;
}

int main(void) {
    printf("%ld\n", arguments(5, 7, 2.5));
    double half = 2.5;
    long sum = 0, last = in_loop(&half, &sum, 4);
    printf("%g %ld %ld\n", half, sum + 5, last);
    return 0;
}
