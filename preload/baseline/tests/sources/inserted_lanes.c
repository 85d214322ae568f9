/* Vectors that are made of numbers, lane by lane, and lanes that take the place of others. */
#include "check.h"
#include <immintrin.h>

#define NEVER __attribute__((noinline)) static

NEVER void put_bytes(const void *from, size_t size) {
    for (size_t at = 0; at < size; at += 8) {
        uint64_t word;
        memcpy(&word, (const char *)from + at, sizeof word);
        put(word);
    }
}
#define PUT(type, ...) \
    do { \
        type value = __VA_ARGS__; \
        put_bytes(&value, sizeof value); \
    } while (0)

typedef int Ints __attribute__((vector_size(16)));
typedef short Shorts __attribute__((vector_size(16)));
typedef long long Longs __attribute__((vector_size(16)));
typedef char Chars __attribute__((vector_size(16)));
typedef float Floats __attribute__((vector_size(16)));
typedef double Doubles __attribute__((vector_size(16)));
typedef int WideInts __attribute__((vector_size(64)));
typedef double WideDoubles __attribute__((vector_size(32)));

NEVER void made(int a, int b, int c, int d) {
    PUT(__m128i, _mm_set_epi32(a, b, c, d));
    PUT(__m128i, _mm_set1_epi32(a));
    PUT(__m128i, _mm_set_epi16((short)a, (short)b, (short)c, (short)d, (short)b, (short)a, 7, (short)c));
    PUT(__m128i, _mm_set1_epi8((char)a));
    PUT(__m128i, _mm_set_epi64x((long long)a << 20, b));
    PUT(__m128, _mm_set_ps((float)a, (float)b, (float)c, (float)d));
    PUT(__m128d, _mm_set_pd(a, b));
    PUT(__m128d, _mm_set1_pd(c));
}

NEVER void replaced(int number, Ints ints, Shorts shorts, Longs longs, Chars chars, Floats floats, Doubles doubles) {
    ints[0] = number;
    PUT(Ints, ints);
    ints[3] = number - 1;
    ints[2] = ints[1];
    PUT(Ints, ints);
    shorts[5] = (short)number;
    shorts[0] = shorts[7];
    PUT(Shorts, shorts);
    longs[0] = (long long)number * 3;
    PUT(Longs, longs);
    longs[1] = longs[0] - 1;
    PUT(Longs, longs);
    chars[15] = (char)number;
    chars[0] = chars[9];
    PUT(Chars, chars);
    floats[0] = (float)number;
    floats[3] = floats[1];
    PUT(Floats, floats);
    doubles[0] = number;
    PUT(Doubles, doubles);
    doubles[1] = doubles[0] * 2;
    PUT(Doubles, doubles);
}

NEVER void wide(int number, const WideInts *ints, const WideDoubles *doubles) {
    WideInts a = *ints;
    a[0] = number;
    a[7] = a[8];
    a[13] = number * 5;
    PUT(WideInts, a);
    WideDoubles b = *doubles;
    b[0] = number;
    b[3] = b[1];
    b[2] = b[0] + 1;
    PUT(WideDoubles, b);
#ifdef __AVX__
    PUT(__m256i, _mm256_set_epi32(number, 1, number, 2, 3, number + 1, number, 4));
    PUT(__m256i, _mm256_set1_epi64x(number));
    PUT(__m256d, _mm256_set_pd(number, 1, 2, number));
    PUT(__m256, _mm256_set1_ps((float)number));
#endif
}

static void check(void) {
    static const WideInts ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    static const WideDoubles doubles = {1, 2, 3, 4};
    for (int number = -70000; number < 70000; number += 27777) {
        made(number, number * 3, 5, -number);
        replaced(number, (Ints){1, 2, 3, 4}, (Shorts){1, 2, 3, 4, 5, 6, 7, 8}, (Longs){-1, 1},
                 (Chars){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, (Floats){1, 2, 3, 4}, (Doubles){5, 6});
        wide(number, &ints, &doubles);
    }
}
