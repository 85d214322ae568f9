// Runs more and more functions, each often, until the file `stop` is there, and compares what they say each time.
#include <stdio.h>
#include <unistd.h>

#define APART __attribute__((noinline))
#define KIND(n) \
    APART static unsigned long kind##n(unsigned long x) { \
        for (int i = 0; i < 40 + n; i++) x = x * 31 + (x >> (n + 1)) + i; \
        return x; \
    }
#define KINDS(K) \
    K(0) K(1) K(2) K(3) K(4) K(5) K(6) K(7) K(8) K(9) K(10) K(11) K(12) K(13) K(14) K(15) K(16) K(17) K(18) K(19) \
    K(20) K(21) K(22) K(23) K(24) K(25) K(26) K(27) K(28) K(29)
KINDS(KIND)
#define NAME(n) kind##n,
static unsigned long (*const all[])(unsigned long) = {KINDS(NAME)};
enum { COUNT = sizeof all / sizeof *all };

int main(void) {
    unsigned long first[COUNT], sum = 0;
    for (int i = 0; i < COUNT; i++) sum ^= first[i] = all[i](i + 7);
    int known = 1, wrong = 0;
    for (int round = 0; known < COUNT || access("stop", F_OK) != 0; round++) {
        for (int i = 0; i < known; i++)
            for (int again = 0; again < 50; again++) wrong += all[i](i + 7) != first[i];
        if (round % 20 == 19 && known < COUNT) known++;
    }
    printf("%lx %d\n", sum, wrong);
    return wrong != 0;
}
