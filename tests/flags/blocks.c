// A block that changes a variable of its function.
#include <stdio.h>
int apply(int (^b)(int), int x) { return b(x); }
int main(void) { __block int c = 1; int k = 5; int r = apply(^(int x) { c++; return x * k; }, 4); printf("%d %d\n", r, c); }
