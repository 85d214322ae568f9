// AX_GCC_FUNC_ATTRIBUTE and others, with -Werror.
//# try: -O2 -Werror
#include <stdlib.h>
__attribute__((cold, noinline)) void cold(void) {}
__attribute__((alloc_size(1), malloc)) void *room(size_t n) { return malloc(n); }
__attribute__((format(printf, 1, 2))) int say(const char *f, ...) { return f[0]; }
__attribute__((noreturn)) void stop(void) { abort(); }
__attribute__((constructor)) void first(void) {}
__attribute__((visibility("hidden"))) int hidden(void) { return 0; }
static int resolved(void) { return 1; }
static int (*resolve(void))(void) { return resolved; }
int indirect(void) __attribute__((ifunc("resolve")));
