// Two names of one variable are one variable to optimisers; also parts of it, by way of a chain, and where another file may
// replace a name.
//# sources: aliased_second.c
//# linkers: lld bfd
//# levels: standard o1 o2_pic
//# prints: array 2
//# prints: chosen 2 2
//# prints: chain 5
//# prints: weak 7
//# prints: replaced 8 0
//# prints: hidden 10
//# prints: text 5 5
//# stats: compiled >= 7
//# lazy: array chosen chain weak replaced hidden
#include <stdio.h>
#include <string.h>

int a[10] = {0};
extern int b[10] __attribute__((alias("a")));
int c = 1;
extern int d __attribute__((alias("c")));
extern int e __attribute__((alias("d")));
int f = 1;
extern int g __attribute__((weak, alias("f")));
int h = 1;
extern int replaced_name __attribute__((weak, alias("h")));
static int i = 1;
extern int j __attribute__((visibility("hidden"), alias("i")));
static const char text[] = "constant text";
volatile int offset;

#define APART __attribute__((noinline))
APART int array(void) {
    int at = offset;
    b[at] = 1;
    a[at] = 2;
    return b[at];
}
APART int chosen(int first) {
    int *p = first ? a : &c, *q = first ? b : &d;
    *p = 1;
    *q = 2;
    return *p;
}
APART int chain(void) {
    c = 4;
    e = 5;
    return c;
}
APART int weak(void) {
    g = 6;
    f = 7;
    return g;
}
APART int replaced(void) {
    replaced_name = 8;
    h = 0;
    return replaced_name;
}
APART int hidden(void) {
    j = 9;
    i = 10;
    return j;
}
// With -Os the length of a constant is known as well.
APART int length(int at) { return strlen(text + 8) + (at ? 0 : (int)strlen(text)); }

int main(void) {
    printf("array %d\n", array());
    int first = chosen(1);
    printf("chosen %d %d\n", first, chosen(0));
    printf("chain %d\n", chain());
    printf("weak %d\n", weak());
    int other = replaced();
    printf("replaced %d %d\n", other, h);
    printf("hidden %d\n", hidden());
    printf("text %d %d\n", length(1), length(0) - 13);
    return 0;
}
