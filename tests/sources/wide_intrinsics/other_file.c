// What wide_intrinsics.c calls; compiled as ever.
#include <stdarg.h>

#include "wide_intrinsics.h"

__m256d through(__m256d (*function)(__m256d), __m256d a, __m256d b) { return function(a) + function(b); }
__m256d many(__m256d a, __m256d b, __m256d c, __m256d d, __m256d e, __m256d f, __m256d g, __m256d h, __m256d i, int n,
             __m256d j) {
    return a + b + c + d - e - f - g - h + i * n + j;
}
__m256d variadic(int count, ...) {
    va_list list;
    va_start(list, count);
    __m256d all = _mm256_setzero_pd();
    while (count--) {
        all += va_arg(list, __m256d);
        if (count) all += va_arg(list, int);
    }
    va_end(list);
    return all;
}
struct wide structure(struct wide a) { return (struct wide){a.a * 2.0, a.b + 1}; }
