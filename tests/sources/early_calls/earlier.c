// The other file of early_calls.c.
#include <stdio.h>

extern int order;

int twice(int x) { return 2 * x; }
static int thrice(int x) { return 3 * x; }

__attribute__((constructor(101))) static void early(void) {
    order++;
    printf("constructor 101 in another file: %d\n", thrice(21));
    fflush(stdout);
}
