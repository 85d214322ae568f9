// Links, because the optimiser removes the call: the argument is a constant to it, which knows what the loop comes to. Code that is
// compiled otherwise has the call, and reaches it with an argument to the program.
#include <stdio.h>
void not_a_constant(void);
static inline __attribute__((always_inline)) int checked(int n) {
    if (!__builtin_constant_p(n)) not_a_constant();
    return n;
}
__attribute__((noinline)) int caller(int reached) {
    if (!reached) return 1;
    unsigned four = 0;
    for (unsigned i = 0; i < 4; i++) four++;
    return checked(four) + 1;
}

int main(int argc, char **argv) {
    (void)argv;
    printf("%d\n", caller(argc > 1));
    return 0;
}
