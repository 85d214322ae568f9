#include <stdio.h>
static int tell(void) { return printf("inner: "); }
int measure(int x) { return tell() > 0 ? x : 0; }
