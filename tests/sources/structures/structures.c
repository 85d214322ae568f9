// Structures of every class of the calling convention, by value and returned, across files: in registers of either
// kind and both, on the x87 stack, in memory, empty, packed, over-aligned, with vectors, unions and flexible arrays.
//# sources: elsewhere.c
//# mix
//# linkers: bfd
//# prints: integers 1 2 3
//# prints: floats 1.5 2.5 3.5 4.5
//# prints: mixed 1 2.5
//# prints: memory 10 20 30 40
//# prints: long double 1.25
//# prints: unions 7 7.5
//# prints: packed 1 2 3
//# prints: aligned 1 5
//# prints: odd abc
//# prints: large 4950
//# prints: exhausted 1 2 3 4 5 (6,7) 8 (9,10)
//# prints: nested 1 2 3.5
//# prints: vector 10
//# prints: empty 5
//# lazy: main
//# stats: compiled >= 30
#include <stdint.h>
#include <stdio.h>

#include "structures.h"

int main(void) {
    struct integers i = integers((struct integers){0, 1, 2});
    printf("integers %d %ld %d\n", i.a, i.b, i.c);
    struct floats f = floats((struct floats){.5f, 1.5f, 2.5f, 3.5f});
    printf("floats %.1f %.1f %.1f %.1f\n", f.a, f.b, f.c, f.d);
    struct mixed m = mixed((struct mixed){0, 1.5});
    printf("mixed %ld %.1f\n", m.a, m.b);
    struct memory y = memory((struct memory){{1, 2, 3, 4}});
    printf("memory %ld %ld %ld %ld\n", y.a[0], y.a[1], y.a[2], y.a[3]);
    printf("long double %.2Lf\n", wide((struct wide){0.25L}).a);
    union both u = both((union both){.whole = 6}, 0), v = both((union both){.real = 6.5}, 1);
    printf("unions %ld %.1f\n", u.whole, v.real);
    struct packed p = packed((struct packed){0, 1, 2});
    printf("packed %d %ld %d\n", p.a, (long)p.b, p.c);
    struct aligned a = aligned((struct aligned){4});
    printf("aligned %d %d\n", (uintptr_t)&a % 64 == 0, a.a);
    struct odd o = odd((struct odd){"ab"});
    printf("odd %.3s\n", o.text);
    struct large l = {0};
    for (int n = 0; n < 100; n++) l.a[n] = n;
    printf("large %d\n", large(l).a[0]);
    exhausted(1, 2, 3, 4, 5, (struct two){6, 7}, 8, (struct two){9, 10});
    struct nested n = nested((struct nested){{0, 1}, {2.5}});
    printf("nested %d %d %.1f\n", n.inner.a, n.inner.b, n.real[0]);
    struct vector w = vector((struct vector){{1, 2, 3, 4}});
    printf("vector %d\n", w.a[0] + w.a[1] + w.a[2] + w.a[3]);
    printf("empty %d\n", empty((struct empty){}, 4));
    return through_pointers() ? 0 : 1;
}
