// The second unit of c_inlines.c: inline definitions of c99 only, and the external one of gnu.
#include "c_inlines.h"

int second_count(void) { return count(); }
int second_c99(int x) { return c99(x); }
int second_gnu(int x) { return gnu(x); }
int second_recursive(int x) { return recursive(x); }
int (*second_address(void))(int) { return c99; }
int gnu(int x) { return x + 1; }
