// The functions of structures.c, which pass everything on to static ones.
#include <stdio.h>
#include <string.h>

#include "structures.h"

#define STEP __attribute__((noinline)) static

STEP struct integers step_integers(struct integers x) { return (struct integers){x.a + 1, x.b + 1, x.c + 1}; }
struct integers integers(struct integers x) { return step_integers(x); }
STEP struct floats step_floats(struct floats x) { return (struct floats){x.a + 1, x.b + 1, x.c + 1, x.d + 1}; }
struct floats floats(struct floats x) { return step_floats(x); }
STEP struct mixed step_mixed(struct mixed x) { return (struct mixed){x.a + 1, x.b + 1}; }
struct mixed mixed(struct mixed x) { return step_mixed(x); }
STEP struct memory step_memory(struct memory x) {
    for (int i = 0; i < 4; i++) x.a[i] *= 10;
    return x;
}
struct memory memory(struct memory x) { return step_memory(x); }
STEP struct wide step_wide(struct wide x) { return (struct wide){x.a + 1}; }
struct wide wide(struct wide x) { return step_wide(x); }
STEP union both step_both(union both x, int real) {
    if (real) x.real += 1;
    else x.whole += 1;
    return x;
}
union both both(union both x, int real) { return step_both(x, real); }
STEP struct packed step_packed(struct packed x) { return (struct packed){x.a + 1, x.b + 1, x.c + 1}; }
struct packed packed(struct packed x) { return step_packed(x); }
STEP struct aligned step_aligned(struct aligned x) { return (struct aligned){x.a + 1}; }
struct aligned aligned(struct aligned x) { return step_aligned(x); }
STEP struct odd step_odd(struct odd x) {
    x.text[2] = 'c';
    return x;
}
struct odd odd(struct odd x) { return step_odd(x); }
STEP struct large step_large(struct large x) {
    for (int i = 1; i < 1000; i++) x.a[0] += x.a[i];
    return x;
}
struct large large(struct large x) { return step_large(x); }
STEP void step_exhausted(int a, int b, int c, int d, int e, struct two f, int g, struct two h) {
    printf("exhausted %d %d %d %d %d (%ld,%ld) %d (%ld,%ld)\n", a, b, c, d, e, f.a, f.b, g, h.a, h.b);
}
void exhausted(int a, int b, int c, int d, int e, struct two f, int g, struct two h) {
    step_exhausted(a, b, c, d, e, f, g, h);
}
STEP struct nested step_nested(struct nested x) {
    return (struct nested){{x.inner.a + 1, x.inner.b + 1}, {x.real[0] + 1}};
}
struct nested nested(struct nested x) { return step_nested(x); }
STEP struct vector step_vector(struct vector x) { return x; }
struct vector vector(struct vector x) { return step_vector(x); }
STEP int step_empty(struct empty e, int x) { return (void)e, x + 1; }
int empty(struct empty e, int x) { return step_empty(e, x); }

STEP struct memory first(struct memory x, double d) { return x.a[0] += (long)d, x; }
STEP struct large second(struct large x, long double d) { return x.a[0] += (int)d, x; }
int through_pointers(void) {
    struct memory (*volatile one)(struct memory, double) = first;
    struct large (*volatile two)(struct large, long double) = second;
    struct memory small = {{1, 2, 3, 4}};
    struct large big;
    memset(&big, 0, sizeof big);
    return one(small, 2.5).a[0] == 3 && two(big, 3.5L).a[0] == 3 && small.a[0] == 1 && big.a[0] == 0;
}
