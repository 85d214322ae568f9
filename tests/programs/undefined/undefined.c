// Links, because the optimiser removes the call: the argument is a constant to it. Code that is compiled otherwise has the
// call, and reaches it with an argument to the program.
#include <stdio.h>
void not_a_constant(void);
static volatile int seen;
#define FOUR seen += 1, seen ^= 2, seen -= 3, seen |= 4
// Not small: what may be is simplified and inlined when it is compiled.
static inline __attribute__((always_inline)) int checked(int n) {
    FOUR, FOUR, FOUR, FOUR;
    if (!__builtin_constant_p(n)) not_a_constant();
    return n;
}
__attribute__((noinline)) int caller(int reached) {
    if (!reached) return 1;
    return checked(sizeof(int)) + 1;
}

int main(int argc, char **argv) {
    (void)argv;
    printf("%d\n", caller(argc > 1));
    return 0;
}
