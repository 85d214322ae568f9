// Three gigabytes of variables: the image is larger than what 32-bit displacements reach, its code and what that refers
// to is not.
//# linkers: lld
//# prints: sum 10
//# lazy: set sum
//# dynamic: static PIEs are mapped where so much data leaves no room within reach
#include <stdio.h>

static int small = 1;
static char big[3L << 30];

int set(long at, int value) { return big[at] = (char)(value + small); }
int sum(void) { return big[0] + big[5] + big[sizeof big - 1] + small; }

int main(void) {
    set(0, 1);
    set(5, 2);
    set(sizeof big - 1, 3);
    printf("sum %d\n", sum());
    return 0;
}
