// Functions that a program defines under the names in names.h, which are the C library's. FORWARD: each calls the next
// definition of its name; otherwise each does something that has nothing to do with its name.
#include "names.h"

extern void *next_definition(const char *name);
static long memory[512];

#ifdef FORWARD
#define DEFINE(name) \
  long name(long a, long b, long c, long d, long e, long f) { \
    static long (*next)(long, long, long, long, long, long); \
    if (!next) next = next_definition(#name); \
    return next ? next(a, b, c, d, e, f) : 0; \
  }
#else
#define DEFINE(name) \
  void *name(void) { return memory; }
#endif

NAMES(DEFINE)
