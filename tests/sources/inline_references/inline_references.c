// A C99 inline function that uses a variable, a weak one and a function of its own file.
//# sources: other.c
//# linkers: bfd lld
//# lazy: twice pick own
//# prints: 42 7 5 -1
#include "inline_references.h"
#include <stdio.h>

int table[2] = {21, 5};
extern int pick(int index);
int own(int x) { return x * 2; }
__attribute__((weak)) int limit = 7;

__attribute__((noinline)) int twice(int index) { return pick(index); }

int main(void) { printf("%d %d %d %d\n", twice(0), twice(5), pick(1) / 2, other()); }
