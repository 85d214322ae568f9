// The library of indirect_functions.c.
typedef int function(int);

int plus_twenty(int x) { return x + 20; }
static function *pick(void) { return plus_twenty; }
int in_library(int) __attribute__((ifunc("pick"), visibility("protected")));
static int own(int) __attribute__((ifunc("pick")));
int library_calls(int x) { return own(x); }
