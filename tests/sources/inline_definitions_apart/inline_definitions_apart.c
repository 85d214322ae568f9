// GNU inline functions that the library defines in another way (as GMP does): what only the inline bodies refer to is pulled in from an
// archive where the optimiser inlines them, and needs no definition where it removes the reference.
//# levels: o1 o2 o3_g os
//# refuses: what depends on inlining
//# archive: length.c set.c
//# prints: 3 4 -1
#include <stdio.h>

#include "inline_definitions_apart.h"

__attribute__((noinline)) int both(struct number *into, struct number *from) {
    length(into, from);
    length(from, from);
    return into->size;
}

int main(void) {
    struct number a = {0, 0}, b = {0, -3}, c = {0, 4};
    printf("%d ", both(&a, &b));
    struct number d;
    length(&d, &c);
    printf("%d %d\n", d.size, checked(&a, 2));
    return 0;
}
