// Functions of immintrin.h on vectors of 32 bytes, and functions of the program's that pass such to each other: the baseline
// compiler's code takes them in registers of 32 bytes, as other code does, that of a plain file as well. main has no such code.
//# plain: other_file.c
//# flags: -mavx2
//# prints: sum 2016 of 64, 36.0
//# prints: found 37
//# prints: bytes 30 29 28 27 26
//# prints: through the library's qsort 3 5 8 9
//# prints: there and back 96.0 mixed 10.0
//# lazy: with_avx2
#include <immintrin.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wide_intrinsics.h"

static __m256i total(__m256i a, const int *from) { return _mm256_add_epi32(a, _mm256_loadu_si256((const void *)from)); }

static int horizontal(__m256i a) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtsi128_si32(half);
}

static double horizontal_of_doubles(__m256d a) {
    __m256d pairs = _mm256_hadd_pd(a, a);
    return _mm_cvtsd_f64(_mm256_castpd256_pd128(pairs)) + _mm_cvtsd_f64(_mm256_extractf128_pd(pairs, 1));
}

static long find(const char *text, long length, char wanted) {
    __m256i all = _mm256_set1_epi8(wanted);
    for (long at = 0; at + 32 <= length; at += 32) {
        __m256i equal = _mm256_cmpeq_epi8(all, _mm256_loadu_si256((const void *)(text + at)));
        unsigned mask = (unsigned)_mm256_movemask_epi8(equal);
        if (mask) return at + __builtin_ctz(mask);
    }
    return -1;
}

static __m256i reversed(__m256i a) {
    __m256i order = _mm256_broadcastsi128_si256(_mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    return _mm256_permute2x128_si256(_mm256_shuffle_epi8(a, order), _mm256_shuffle_epi8(a, order), 1);
}

// A library calls this, and it calls with vectors.
static int compare(const void *a, const void *b) {
    __m256i x = _mm256_set1_epi32(*(const int *)a), y = _mm256_set1_epi32(*(const int *)b);
    return horizontal(_mm256_sub_epi32(x, y));
}

__m256d doubled(__m256d a) { return _mm256_add_pd(a, a); }

__attribute__((noinline)) void with_avx2(void) {
    int numbers[64];
    for (int i = 0; i < 64; i++) numbers[i] = i;
    __m256i all = _mm256_setzero_si256();
    for (int i = 0; i < 64; i += 8) all = total(all, numbers + i);
    __m256d doubles = _mm256_mul_pd(_mm256_set1_pd(3), _mm256_set_pd(1, 2, 4, 5));
    printf("sum %d of 64, %.1f\n", horizontal(all), horizontal_of_doubles(doubles));
    char text[64];
    memset(text, '.', sizeof text);
    text[37] = '!';
    printf("found %ld\n", find(text, sizeof text, '!'));
    signed char bytes[32];
    for (int i = 0; i < 32; i++) bytes[i] = (signed char)i;
    _mm256_storeu_si256((void *)bytes, reversed(_mm256_loadu_si256((void *)bytes)));
    printf("bytes %d %d %d %d %d\n", bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
    int few[] = {9, 3, 8, 5};
    qsort(few, 4, sizeof *few, compare);
    printf("through the library's qsort %d %d %d %d\n", few[0], few[1], few[2], few[3]);
    __m256d back = through(doubled, _mm256_set_pd(1, 2, 3, 5), _mm256_set1_pd(0.25));
    __m256d mixed = many(back, back, back, back, back, back, back, back, _mm256_set1_pd(5), 7, _mm256_set1_pd(3));
    struct wide in = {_mm256_set1_pd(4), 2};
    printf("there and back %.1f", horizontal_of_doubles(back) + horizontal_of_doubles(variadic(2, back, 3, doubles)));
    printf(" mixed %.1f\n", mixed[3] - mixed[1] + structure(in).a[2] + structure(in).b - 1);
}

int main(void) {
    if (__builtin_cpu_supports("avx2")) with_avx2();
    else puts("no AVX2: sum 2016 of 64, 36.0\nfound 37\nbytes 30 29 28 27 26\nthrough the library's qsort 3 5 8 9\n"
              "there and back 96.0 mixed 10.0");
    return 0;
}
