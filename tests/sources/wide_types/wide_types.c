// long double, complex numbers, 128-bit integers, half precision and bit-precise integers: as arguments, results and
// variables, across files, with the library functions that code generators call for them.
//# sources: wide_elsewhere.c
//# mix
//# linkers: lld
//# link: -lm
//# prints: long double 3.750000 0.250000
//# prints: complex float (4.0,6.0)
//# prints: complex double (-5.0,10.0) 5.0
//# prints: complex long double (1.5,2.5)
//# prints: int128 100000000000000000000000000000000
//# prints: division 333333333333333333 remainder 1
//# prints: to double 170141183460469231731687303715884105728
//# prints: half 3.5
//# prints: bits 1267650600228229401496703205376
//# prints: many 78
//# prints: converted -3 18446744073709549568
//# lazy: main long_doubles
//# stats: compiled >= 11
//# refuses: _Float16, __float128 and wider integers
#include <complex.h>
#include <math.h>
#include <stdio.h>

#include "wide_types.h"

long double long_doubles(long double a, int i, long double b) { return i ? a + b : a - b; }

static void print(const char *what, unsigned __int128 x) {
    char digits[40], *at = digits + sizeof digits;
    *--at = 0;
    do *--at = '0' + (int)(x % 10);
    while (x /= 10);
    printf("%s %s\n", what, at);
}

int main(void) {
    printf("long double %.6Lf %.6Lf\n", long_doubles(2.0L, 1, 1.75L), long_doubles(2.0L, 0, 1.75L));
    float complex f = complex_float(1 + 2 * I, 3 + 4 * I);
    printf("complex float (%.1f,%.1f)\n", crealf(f), cimagf(f));
    double complex d = complex_double(1 + 2 * I, 3 + 4 * I);
    printf("complex double (%.1f,%.1f) %.1f\n", creal(d), cimag(d), cabs(3 + 4 * I));
    long double complex l = complex_long_double(3 + 5 * I);
    printf("complex long double (%.1Lf,%.1Lf)\n", creall(l), cimagl(l));
    __int128 x = power(10, 32);
    print("int128", (unsigned __int128)x);
    __int128 remainder, quotient = divide(1000000000000000000, 3, &remainder);
    printf("division %ld remainder %ld\n", (long)quotient, (long)remainder);
    printf("to double %.0f\n", to_double((unsigned __int128)1 << 127));
    printf("half %.1f\n", (double)half((_Float16)1.25, (_Float16)2.25));
    print("bits", (unsigned __int128)bits(1, 100));
    printf("many %d\n", (int)many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    printf("converted %ld %lu\n", (long)to_whole(-3.75), (unsigned long)to_whole(18446744073709549568.0));
    return 0;
}
