#include <stdio.h>
static int twice(int n) { return 2 * n; }
int main(void) { return printf("%d\n", twice(21)) != 3; }
