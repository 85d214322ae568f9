// Two gigabytes of variables: code near the image reaches them all.
//# linkers: lld
//# prints: corners 1 2 3 4
//# prints: sum 10
//# lazy: set_corners sum
//# dynamic: static PIEs are mapped where two gigabytes of data leave no room within reach
#include <stdio.h>

enum { SIZE = 511 << 20 };
static char a[SIZE], b[SIZE];
char c[SIZE], d[SIZE];
static int small = 1;

void set_corners(void) { a[0] = (char)small, b[SIZE - 1] = 2, c[SIZE / 2] = 3, d[SIZE - 1] = 4; }
int sum(void) { return a[0] + b[SIZE - 1] + c[SIZE / 2] + d[SIZE - 1]; }

int main(void) {
    set_corners();
    printf("corners %d %d %d %d\n", a[0], b[SIZE - 1], c[SIZE / 2], d[SIZE - 1]);
    printf("sum %d\n", sum());
    return 0;
}
