// What wide_elsewhere.c has for wide_types.c.
#pragma once
float complex complex_float(float complex, float complex);
double complex complex_double(double complex, double complex);
long double complex complex_long_double(long double complex);
__int128 power(__int128 base, int exponent);
__int128 divide(__int128 x, __int128 y, __int128 *remainder);
double to_double(unsigned __int128);
__int128 to_whole(double);
_Float16 half(_Float16, _Float16);
unsigned _BitInt(200) bits(unsigned _BitInt(200), int shift);
__int128 many(__int128, int, __int128, int, __int128, int, __int128, int, __int128, int, __int128, int);
