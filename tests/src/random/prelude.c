#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
typedef unsigned long u64;
typedef _Bool boolean;
typedef u64 (*helper)(u64);
typedef float v8 __attribute__((vector_size(8)));
typedef int v16 __attribute__((vector_size(16)));
typedef double v16d __attribute__((vector_size(16)));
typedef u64 v32 __attribute__((vector_size(32)));
typedef float v64 __attribute__((vector_size(64)));
enum color { RED, GREEN, BLUE };
static inline u64 mix(u64 a, u64 b) {
  a = (a ^ b) * 0x9e3779b97f4a7c15UL;
  return a ^ (a >> 29);
}
static u64 helper_static(u64 x) { return mix(x, 11); }
static inline u64 helper_inline(u64 x) { return mix(x, 12); }
EXTERN int pool[64];
EXTERN const char letters[];
EXTERN u64 checksum;
EXTERN long budget;
EXTERN u64 helper_extern(u64 x);
__attribute__((weak)) u64 helper_weak(u64 x) { return mix(x, 13); }
static const helper helpers[4] = {helper_static, helper_inline, helper_extern, helper_weak};
static __attribute__((unused)) void trace(u64 x) { checksum = mix(checksum, x); }
static __attribute__((unused)) int enter(void) { return --budget > 0; }
