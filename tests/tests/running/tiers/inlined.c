/* A function that is called too seldom to be optimised for its own calls, with all its work in functions that are inlined
   wherever they are called: what is passed to them is known only there. */
#include <stdio.h>

#define INLINED static inline __attribute__((always_inline))

INLINED unsigned step(unsigned at, int kind) {
    return kind == 1 ? at * 31 + 7 : kind == 2 ? at ^ at >> 3 : at + (unsigned)kind;
}

INLINED unsigned rounds(unsigned at, int count, int kind) {
    for (int i = 0; i < count; i++)
        at = step(at, kind);
    return at;
}

__attribute__((noinline)) unsigned each(unsigned at) { return rounds(at, 1000, 1); }

int main(void) {
    unsigned at = 1;
    for (int i = 0; i < 25; i++)
        at = each(at);
    printf("%u\n", at);
    return 0;
}
