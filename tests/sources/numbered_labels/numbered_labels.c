//# prints: 10 15 21
//# lazy: one two three
//# refuses: inline assembly
// Labels that are numbers: several functions have the same ones.
#include <stdio.h>

#define SUM(name)                                                                                       \
    __attribute__((noinline)) long name(long count) {                                                   \
        long sum = 0;                                                                                   \
        __asm__ volatile("1: add %1,%0\n dec %1\n jnz 1b" : "+r"(sum), "+r"(count) : : "cc");           \
        return sum;                                                                                     \
    }

SUM(one)
SUM(two)
SUM(three)

int main(void) {
    long a = one(4), b = two(5), c = three(6);
    printf("%ld %ld %ld\n", a, b, c);
    return 0;
}
