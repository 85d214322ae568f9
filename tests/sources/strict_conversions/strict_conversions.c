// Conversions and arithmetic for which the compiler calls libgcc, where the rounding mode may be any: they are calls of intrinsics
// then. A C program has only what the linker takes from libgcc.a.
//# flags: -frounding-math
//# link: -lm
//# linkers: bfd
//# prints: from 128 bits -3 3 5.000000 6.000000
//# prints: to 128 bits -7 7 8 9
//# prints: half 1.500000 2.500000
//# prints: power 15.625000
//# prints: quotient 1, product and sum 1
//# lazy: main quad_of_signed quad_of_unsigned long_of_signed long_of_unsigned signed_of_quad unsigned_of_quad signed_of_long unsigned_of_long
//# refuses: strict floating point
#include <fenv.h>
#include <stdio.h>

#define NOINLINE __attribute__((noinline))
NOINLINE __float128 quad_of_signed(__int128 x) { return (__float128)x; }
NOINLINE __float128 quad_of_unsigned(unsigned __int128 x) { return (__float128)x; }
NOINLINE long double long_of_signed(__int128 x) { return (long double)x; }
NOINLINE long double long_of_unsigned(unsigned __int128 x) { return (long double)x; }
NOINLINE __int128 signed_of_quad(__float128 x) { return (__int128)x; }
NOINLINE unsigned __int128 unsigned_of_quad(__float128 x) { return (unsigned __int128)x; }
NOINLINE __int128 signed_of_long(long double x) { return (__int128)x; }
NOINLINE unsigned __int128 unsigned_of_long(long double x) { return (unsigned __int128)x; }
NOINLINE static long double half_to_long(_Float16 x) { return (long double)x; }
NOINLINE static _Float16 long_to_half(long double x) { return (_Float16)x; }
NOINLINE static long double power(long double x, int n) { return __builtin_powil(x, n); }
NOINLINE static __float128 divide(__float128 a, __float128 b) { return a / b; }
NOINLINE static __float128 multiply_and_add(__float128 a, __float128 b) { return a * b + b; }

// Whether the rounding mode decides what a function computes.
static int rounds(__float128 (*compute)(__float128, __float128), __float128 a, __float128 b) {
    fesetround(FE_UPWARD);
    __float128 up = compute(a, b);
    fesetround(FE_DOWNWARD);
    __float128 down = compute(a, b);
    fesetround(FE_TONEAREST);
    return up > down;
}

int main(int argc, char **argv) {
    (void)argv;
    printf("from 128 bits %d %d %f %f\n", (int)quad_of_signed(-argc - 2), (int)quad_of_unsigned((unsigned)argc + 2),
           (double)long_of_signed(argc + 4), (double)long_of_unsigned((unsigned)argc + 5));
    printf("to 128 bits %d %d %d %d\n", (int)signed_of_quad(-argc - 6), (int)unsigned_of_quad(argc + 6), (int)signed_of_long(argc + 7),
           (int)unsigned_of_long(argc + 8));
    printf("half %f %f\n", (double)half_to_long((_Float16)(argc + 0.5f)), (double)long_to_half(argc + 1.5L));
    printf("power %f\n", (double)power(argc + 1.5L, argc + 2));
    printf("quotient %d, product and sum %d\n", rounds(divide, argc, argc + 2), rounds(multiply_and_add, 1 / (__float128)(argc + 2), argc + 2));
    return 0;
}
