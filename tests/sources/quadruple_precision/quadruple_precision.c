// Arithmetic and comparisons of __float128, for which the compiler calls libgcc: its functions heed the rounding mode and raise
// exceptions, others of the same names do not. And functions of libm that compilers call for intrinsics of wide types, where
// the linker keeps a library only if something refers to it.
//# linkers: bfd
//# link: -Wl,--as-needed -lm
//# prints: rounding 1 1 1 1
//# prints: exceptions 1 1 1 1 1
//# prints: order 1 1 1 1 1 0 1
//# prints: least and greatest 1 2 1 2
//# lazy: main add subtract multiply divide both less equal least
//# refuses: _Float16, __float128 and wider integers
#include <fenv.h>
#include <stdio.h>

#define NOINLINE __attribute__((noinline))
typedef __float128 quad;
NOINLINE quad add(quad a, quad b) { return a + b; }
NOINLINE quad subtract(quad a, quad b) { return a - b; }
NOINLINE quad multiply(quad a, quad b) { return a * b; }
NOINLINE quad divide(quad a, quad b) { return a / b; }
NOINLINE quad both(quad a, quad b) { return a * b + a; }
NOINLINE int less(quad a, quad b) { return a < b; }
NOINLINE int at_least(quad a, quad b) { return a >= b; }
NOINLINE int equal(quad a, quad b) { return a == b; }
NOINLINE int greater(quad a, quad b) { return a > b; }
NOINLINE int at_most(quad a, quad b) { return a <= b; }
NOINLINE int other(quad a, quad b) { return a != b; }
NOINLINE int unordered(quad a, quad b) { return __builtin_isunordered(a, b); }
NOINLINE long double least(long double a, long double b) { return __builtin_fminl(a, b); }
NOINLINE long double greatest(long double a, long double b) { return __builtin_fmaxl(a, b); }
NOINLINE quad least_quad(quad a, quad b) { return __builtin_fminf128(a, b); }
NOINLINE quad greatest_quad(quad a, quad b) { return __builtin_fmaxf128(a, b); }

// Nothing is known of what is called: optimisers take a function of numbers to do the same in each rounding mode.
typedef quad (*volatile operation)(quad, quad);

// Whether an operation gives another result when it rounds upwards than when it rounds downwards.
static int rounds(operation operation, quad a, quad b) {
    fesetround(FE_UPWARD);
    volatile quad up = operation(a, b);
    fesetround(FE_DOWNWARD);
    volatile quad down = operation(a, b);
    fesetround(FE_TONEAREST);
    return greater(up, down);
}

static int raises(operation operation, quad a, quad b, int exception) {
    feclearexcept(FE_ALL_EXCEPT);
    volatile quad result = operation(a, b);
    (void)result;
    return fetestexcept(exception) != 0;
}

int main(int argc, char **argv) {
    (void)argv;
    quad one = argc, three = argc + 2, tiny = 1e-300, none = argc - 1, nan = divide(none, none);
    printf("rounding %d %d %d %d\n", rounds(add, one, tiny), rounds(subtract, one, tiny),
           rounds(multiply, one + tiny * 0 + divide(one, three), three + divide(one, three)), rounds(divide, one, three));
    int exceptions = raises(divide, one, none, FE_DIVBYZERO);
    printf("exceptions %d %d %d %d %d\n", exceptions, raises(divide, none, none, FE_INVALID), raises(add, one, tiny, FE_INEXACT),
           raises(both, one, tiny, FE_INEXACT), raises(multiply, divide(one, three), three, FE_INEXACT));
    printf("order %d %d %d %d %d %d %d\n", less(one, three), at_least(three, one), equal(one, one), greater(three, one),
           at_most(one, one), other(one, one), unordered(one, nan));
    printf("least and greatest %d %d %d %d\n", (int)least(argc, argc + 1), (int)greatest(argc, argc + 1),
           (int)least_quad(argc, argc + 1), (int)greatest_quad(argc, argc + 1));
    return 0;
}
