#include <immintrin.h>
struct wide { __m256d a; int b; };
__m256d through(__m256d (*function)(__m256d), __m256d a, __m256d b);
__m256d many(__m256d a, __m256d b, __m256d c, __m256d d, __m256d e, __m256d f, __m256d g, __m256d h, __m256d i, int n,
             __m256d j);
__m256d variadic(int count, ...);
struct wide structure(struct wide a);
