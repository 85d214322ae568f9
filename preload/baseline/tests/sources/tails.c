// Calls in the place of their caller, memory barriers without text or of comments, protected frames, and calls among
// conventions that are the same.
#include "check.h"

typedef unsigned long (*step)(unsigned long, unsigned long, double);
static unsigned long odd(unsigned long n, unsigned long sum, double scale);

static unsigned long even(unsigned long n, unsigned long sum, double scale) {
    if (n == 0) return sum + (unsigned long)scale;
    __attribute__((musttail)) return odd(n - 1, sum + n, scale + 0.5);
}

static unsigned long odd(unsigned long n, unsigned long sum, double scale) {
    volatile char held[40];
    held[n % 40] = (char)n;
    if (n == 0) return sum;
    step next = held[n % 40] == (char)n ? even : odd;
    __attribute__((musttail)) return next(n - 1, sum ^ n, scale);
}

struct large {
    unsigned long words[5];
};
static struct large made(unsigned long n) {
    struct large all = {{n, n + 1, n + 2, n + 3, n + 4}};
    return all;
}
static struct large passed_on(unsigned long n) { __attribute__((musttail)) return made(n * 3); }

static unsigned long kept(unsigned long x, unsigned y) {
    __asm__ volatile("" ::: "memory");
    __asm__("" : "+r"(x));
    __asm__ volatile("" : "=r"(y) : "0"(y + 1));
    __asm__("" : "+r"(x), "+r"(y));
    __asm__("/* %0 */ # %1" : "+r"(y), "+r"(x));
    __asm__ volatile("# %0\n\t# done" : : "r"(x) : "memory");
    return x * 7 + y;
}

__attribute__((noinline)) static int constant(int x) { return __builtin_constant_p(x) * 2 + __builtin_constant_p(3); }

static void check(void) {
    put(even(100001, 5, 1.5));
    put(odd(77, 5, 1.5));
    struct large all = passed_on(4);
    for (int i = 0; i < 5; i++) put(all.words[i]);
    put(kept(3, 4));
    put(constant((int)all.words[0]));
}
