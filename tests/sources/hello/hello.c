// The smallest program: one function of its own beside main, and one that is never called.
//# prints: hello, world 42
//# lazy: main answer never
//# stats: modules == 1
//# stats: compiled <= 2
//# stats: code_bytes <= 4096
#include <stdio.h>

int answer(int x) { return x * 2; }

int never(int x) { return x ? answer(x) * never(x - 1) : 1; }

int main(void) {
    printf("hello, world %d\n", answer(21));
    return 0;
}
