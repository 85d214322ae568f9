/* Floats, doubles and long doubles over edge values. */
#include "check.h"
#include <fenv.h>
#include <float.h>
#include <math.h>

static const double edges[] = {0.0, -0.0, 1.0, -1.0, 0.5, 1.5, -2.5, 3.0, 1e-310, -1e-320, 1e308, -1e308, 2147483647.0,
    2147483648.0, -2147483648.0, -2147483649.0, 4294967295.0, 4294967296.0, 9007199254740993.0, 9.2e18, -9.2e18, 1.8e19,
    1e30, 123456.789, 1.0 / 3.0, 255.0, 256.0, -128.0, 127.5};
enum { EDGES = sizeof edges / sizeof *edges };

#define NEVER __attribute__((noinline)) static

static void put_long(long double value) {
    put_double((double)value);
    put_double((double)(value - (long double)(double)value));
}

NEVER void in_double(double a, double b) {
    put_double(a + b);
    put_double(a - b);
    put_double(a * b);
    put_double(a / b);
    put_double(-a);
    put_double(fabs(a));
    put_double(sqrt(a));
    put_double(__builtin_canonicalize(a));
    put_double(copysign(a, b));
    put_double(fmin(a, b));
    put_double(fmax(a, b));
    put_double(fmod(a, b));
    put_double(floor(a) + ceil(b));
    put_double(trunc(a) + rint(b) + nearbyint(a) + round(b));
    put_float((float)a);
    put(a < b);
    put(a <= b);
    put(a > b);
    put(a >= b);
    put(a == b);
    put(a != b);
    put(!(a < b));
    put(isnan(a) + 2 * isinf(b));
    put(isunordered(a, b));
    put(islessgreater(a, b));
    put(isgreaterequal(a, b));
    put(a ? 1 : 2);
    put_double(a < b ? a : b);
}

NEVER void in_float(float a, float b) {
    put_float(a + b);
    put_float(a - b);
    put_float(a * b);
    put_float(a / b);
    put_float(-a);
    put_float(fabsf(a));
    put_float(sqrtf(a));
    put_float(__builtin_canonicalizef(a));
    put_float(copysignf(a, b));
    put_double((double)a);
    put(a < b);
    put(a == b);
    put(a != b);
    put(a >= b ? 3 : 4);
    put_float(a > b ? a : b);
    put_float(fminf(a, b));
}

NEVER void in_long(long double a, long double b) {
    put_long(a + b);
    put_long(a - b);
    put_long(a * b);
    put_long(a / b);
    put_long(-a);
    put_long(fabsl(a));
    put_long(__builtin_canonicalizel(a));
    put(a < b);
    put(a <= b);
    put(a == b);
    put(a != b);
    put_long(a > b ? a : b);
    put_float((float)a);
    put_long((long double)(float)b);
}

NEVER void in_parts(double a) {
    double whole;
    put_double(modf(a, &whole));
    put_double(whole);
    float single;
    put_float(modff((float)a, &single) + single * 2);
    long double wide;
    put_long(modfl(a, &wide));
    put_long(wide);
    modf(a, &whole);
}

NEVER void made_quiet(uint64_t bits, uint32_t single_bits) {
    double value;
    float single;
    memcpy(&value, &bits, sizeof value);
    memcpy(&single, &single_bits, sizeof single);
    value = __builtin_canonicalize(value);
    single = __builtin_canonicalizef(single);
    memcpy(&bits, &value, sizeof value);
    memcpy(&single_bits, &single, sizeof single);
    put(bits);
    put(single_bits);
}

NEVER void in_each_direction(double a) {
    static const int directions[] = {FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO, FE_TONEAREST};
    for (int i = 0; i < 4; i++) {
        fesetround(directions[i]);
        put(FLT_ROUNDS);
        put_double(a / 3);
    }
}

NEVER void to_ints(double a) {
    if (fabs(a) < 100) {
        put((uint8_t)(int8_t)a);
        put((uint16_t)(int16_t)a);
        put((uint8_t)(int8_t)(float)a);
    }
    if (fabs(a) < 2e9) {
        put((uint32_t)(int32_t)a);
        put((uint32_t)(int32_t)(float)a);
        put((uint32_t)(int32_t)(long double)a);
    }
    if (a > -1 && a < 4e9) {
        put((uint32_t)a);
        put((uint32_t)(float)a);
    }
    if (fabs(a) < 9e18) {
        put((uint64_t)(int64_t)a);
        put((uint64_t)(int64_t)(long double)a);
    }
    if (a > -1 && a < 1.8e19) {
        put((uint64_t)a);
        put((uint64_t)(long double)a);
        put((uint64_t)(float)a);
    }
    if (fabs(a) < 1e36) {
        __int128 wide = (__int128)a;
        put((uint64_t)wide);
        put((uint64_t)(wide >> 64));
    }
}

NEVER void from_ints(uint64_t a) {
    put_double((double)(int8_t)a);
    put_double((double)(uint8_t)a);
    put_double((double)(int16_t)a);
    put_double((double)(int32_t)a);
    put_double((double)(uint32_t)a);
    put_double((double)(int64_t)a);
    put_double((double)a);
    put_float((float)(uint16_t)a);
    put_float((float)(int32_t)a);
    put_float((float)(uint32_t)a);
    put_float((float)(int64_t)a);
    put_float((float)a);
    put_long((long double)(int32_t)a);
    put_long((long double)(int64_t)a);
    put_long((long double)a);
    put_double((double)((unsigned __int128)a << 20));
}

NEVER double polynomial(const double *factors, int n, double x) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum = sum * x + factors[i];
    return sum;
}

static _Complex double square(_Complex double z) { return z * z + 1.0; }

static void check(void) {
    /* Signaling. */
    made_quiet(0x7ff4000000000001, 0xff800002);
    for (int i = 0; i < EDGES; i++) {
        in_parts(edges[i]);
        to_ints(edges[i]);
        to_ints(-edges[i]);
        from_ints((uint64_t)edges[i] * 3);
        from_ints(1ull << (i * 2));
        from_ints(~0ull << i);
        from_ints(~0ull >> i);
        for (int j = 0; j < EDGES; j++) {
            in_double(edges[i], edges[j]);
            in_float((float)edges[i], (float)edges[j]);
            in_long(edges[i], edges[j]);
        }
        in_each_direction(edges[i]);
        in_double(edges[i], NAN);
        in_double(NAN, edges[i]);
        in_float((float)edges[i], NAN);
        in_float(NAN, (float)edges[i]);
        in_long(edges[i], NAN);
        in_double(INFINITY, edges[i]);
    }
    in_parts(NAN);
    in_parts(-INFINITY);
    put_double(polynomial(edges, 8, 1.25));
    _Complex double z = square(3.0 + 4.0i);
    put_double(__real__ z);
    put_double(__imag__ z);
    put_double(sin(0.5) + pow(2.0, 0.5) + exp(1.0) + log(3.0));
}
