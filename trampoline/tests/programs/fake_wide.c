// The functions of fake_runtime.c with whole vectors as arguments, compiled for the processor: without -mavx, clang
// passes them in memory, even to functions with a target attribute.
#include <stdlib.h>

#ifdef __AVX__
typedef double wide256 __attribute__((vector_size(32)));
double sum256(wide256 v, wide256 w) {
  return v[0] + 2 * v[1] + 3 * v[2] + 4 * v[3] + 5 * w[0] + 6 * w[1] + 7 * w[2] + 8 * w[3];
}
#else
double sum256(void) { abort(); }
#endif

#ifdef __AVX512F__
typedef double wide512 __attribute__((vector_size(64)));
double sum512(wide512 v) {
  return v[0] + 2 * v[1] + 3 * v[2] + 4 * v[3] + 5 * v[4] + 6 * v[5] + 7 * v[6] + 8 * v[7];
}
#else
double sum512(void) { abort(); }
#endif
