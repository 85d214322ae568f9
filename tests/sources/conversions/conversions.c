// Conversions for which the compiler calls libgcc: between long double, half and quadruple precision and integers of 128
// bits. A C program has only what the linker takes from libgcc.a.
//# linkers: bfd
//# prints: to 128 bits 2 2 from 1.000000 1.000000
//# prints: power 15.625000
//# prints: half 1.000000 2.500000 1.000000 1.000000
//# prints: quadruple 1.666667 5
//# prints: overflow 0 1
//# lazy: main to_signed to_unsigned from_signed from_unsigned power
//# refuses: _Float16
#include <stdio.h>

#define NOINLINE __attribute__((noinline))
NOINLINE __int128 to_signed(long double x) { return (__int128)x; }
NOINLINE unsigned __int128 to_unsigned(long double x) { return (unsigned __int128)x; }
NOINLINE long double from_signed(__int128 x) { return (long double)x; }
NOINLINE long double from_unsigned(unsigned __int128 x) { return (long double)x; }
NOINLINE long double power(long double x, int n) { return __builtin_powil(x, n); }
NOINLINE static long double half_to_long(_Float16 x) { return (long double)x; }
NOINLINE static _Float16 long_to_half(long double x) { return (_Float16)x; }
NOINLINE static _Float16 double_to_half(double x) { return (_Float16)x; }
NOINLINE static double half_to_double(_Float16 x) { return x; }
NOINLINE static __float128 twice(long double x) { return (__float128)x * 2; }
NOINLINE static long double third(__float128 x) { return (long double)(x / 3); }
NOINLINE static __int128 whole(__float128 x) { return (__int128)x; }
NOINLINE static __int128 product(__int128 x, __int128 y, int *overflow) {
    __int128 result;
    *overflow = __builtin_mul_overflow(x, y, &result);
    return result;
}

int main(int argc, char **argv) {
    (void)argv;
    long double x = argc + 1.5L;
    printf("to 128 bits %ld %ld from %Lf %Lf\n", (long)to_signed(x), (long)to_unsigned(x), from_signed(argc),
           from_unsigned((unsigned)argc));
    printf("power %Lf\n", power(x, argc + 2));
    printf("half %Lf %f %f %f\n", half_to_long((_Float16)argc), (double)long_to_half(x), (double)double_to_half(argc),
           half_to_double((_Float16)argc));
    printf("quadruple %Lf %ld\n", third(twice(x)), (long)whole(twice(x)));
    int overflow;
    long low = (long)product((__int128)argc << 70, (__int128)argc << 70, &overflow);
    printf("overflow %ld %d\n", low, overflow);
    return 0;
}
