// The part of calls.c with whole vectors as arguments and results. It must be compiled for the processor as a whole:
// without -mavx, clang passes them in memory, even to functions with a target attribute.
#include <stdlib.h>

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

#ifdef __AVX__
typedef double wide256 __attribute__((vector_size(32)));
wide256 lazy_256(wide256, wide256, wide256, wide256, wide256, wide256, wide256, wide256);
wide256 body_256(wide256 a, wide256 b, wide256 c, wide256 d, wide256 e, wide256 f, wide256 g, wide256 h) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}
int call_256(void) {
  wide256 v = {1, 2, 3, 4}, r = lazy_256(v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);
  for (int i = 0; i < 4; i++) CHECK(r[i] == 36 * v[i] + 168);
  return 0;
}
#else
void body_256(void) { abort(); }
#endif

#ifdef __AVX512F__
typedef double wide512 __attribute__((vector_size(64)));
wide512 lazy_512(wide512, wide512, wide512, wide512, wide512, wide512, wide512, wide512);
wide512 body_512(wide512 a, wide512 b, wide512 c, wide512 d, wide512 e, wide512 f, wide512 g, wide512 h) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h;
}
int call_512(void) {
  wide512 v = {1, 2, 3, 4, 5, 6, 7, 8}, r = lazy_512(v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7);
  for (int i = 0; i < 8; i++) CHECK(r[i] == 36 * v[i] + 168);
  return 0;
}
#else
void body_512(void) { abort(); }
#endif
