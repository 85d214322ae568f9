// The second unit of wide_types.c.
#include <complex.h>

#include "wide_types.h"

float complex complex_float(float complex a, float complex b) { return a + b; }
double complex complex_double(double complex a, double complex b) { return a * b; }
long double complex complex_long_double(long double complex a) { return a / 2; }
__int128 power(__int128 base, int exponent) { return exponent ? base * power(base, exponent - 1) : 1; }
__int128 divide(__int128 x, __int128 y, __int128 *remainder) {
    *remainder = x % y;
    return x / y;
}
double to_double(unsigned __int128 x) { return (double)x; }
__int128 to_whole(double x) { return (__int128)x; }
_Float16 half(_Float16 a, _Float16 b) { return a + b; }
unsigned _BitInt(200) bits(unsigned _BitInt(200) x, int shift) { return (x << (shift + 50)) >> 50; }
__int128 many(__int128 a, int b, __int128 c, int d, __int128 e, int f, __int128 g, int h, __int128 i, int j,
              __int128 k, int l) {
    return a + b + c + d + e + f + g + h + i + j + k + l;
}
