// A C99 inline function that another file defines, and that uses variables and a function of this one.
//# sources: other.c
//# flags: -fPIC
//# linkers: bfd lld
//# lazy: main twice pick own
//# prints: 42 7 5 -1
#include "inline_references.h"
#include <stdio.h>

int table[2] = {21, 5};
int own(int x) { return x * 2; }
__attribute__((weak)) int limit = 7;

__attribute__((noinline)) int twice(int index) { return pick(index); }

int main(void) { printf("%d %d %d %d\n", twice(0), twice(5), pick(1) / 2, other()); }
