// A calling convention whose symbols are not the names of the functions.
#include <stdio.h>
__attribute__((vectorcall, noinline)) double add(double a, double b) { return a + b; }
int main(void) { printf("%.0f\n", add(20, 22)); }
