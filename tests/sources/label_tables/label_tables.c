// Tables of labels that are changed, that lie in structures, that are walked by another function; labels handed to
// other functions and compared; a label that is only a number; two functions with tables of the same name.
//# linkers: mold
//# prints: changed 1 2 2 not 1 2
//# prints: structures 7 21
//# prints: handed on 5 6
//# prints: difference 1
//# prints: same name 10 20
//# prints: threaded 20
//# lazy: main structures handed_on threaded unchanged
//# static: changed
//# stats: compiled >= 8
//# refuses: a table of distances between labels
#include <stdio.h>

#define NOINLINE __attribute__((noinline))

NOINLINE int changed(int which, int change) {
    static void *table[] = {&&one, &&two};
    if (change) table[0] = table[1];
    goto *table[which];
one: return 1;
two: return 2;
}

NOINLINE int unchanged(int which) {
    static void *table[] = {&&one, &&two};
    goto *table[which];
one: return 1;
two: return 2;
}

NOINLINE int structures(int n) {
    static const struct { const char *name; void *label; int argument; } steps[] = {
        {"add", &&add, 3}, {"multiply", &&multiply, 4}, {"subtract", &&subtract, 5}, {"end", &&end, 0}};
    int at = 0;
    goto *steps[at].label;
add: n += steps[at].argument; goto *steps[++at].label;
multiply: n *= steps[at].argument; goto *steps[++at].label;
subtract: n -= steps[at].argument; goto *steps[++at].label;
end: return n;
}

NOINLINE static void *choose(void *const *labels, int i) { return labels[i]; }
NOINLINE int handed_on(int i) {
    void *labels[] = {&&five, &&six};
    goto *choose(labels, i);
five: return 5;
six: return 6;
}

NOINLINE static int difference(void) {
    static const long distance = (char *)&&after - (char *)&&before;
    int sum = 0;
before:
    sum += 2;
    if (sum > 100) goto *(&&before + distance);
after:
    return sum == 2;
}

NOINLINE static int first_of_same(int i) {
    static void *const same[] = {&&a, &&b};
    goto *same[i];
a: return 10;
b: return 11;
}
NOINLINE static int second_of_same(int i) {
    static void *const same[] = {&&a, &&b};
    goto *same[i];
a: return 20;
b: return 21;
}

// Replaces opcodes by labels once, as interpreters with threaded code do.
NOINLINE int threaded(void) {
    static const int code[] = {0, 0, 1, 0, 2};
    static void *prepared[5];
    static void *const labels[] = {&&increment, &&square, &&done};
    if (!prepared[0])
        for (int i = 0; i < 5; i++) prepared[i] = labels[code[i]];
    int value = 2, at = 0;
    goto *prepared[at];
increment: value++; goto *prepared[++at];
square: value *= value; goto *prepared[++at];
done: return value;
}

int main(void) {
    int first = changed(0, 0), second = changed(1, 0);
    printf("changed %d %d %d not %d %d\n", first, second, changed(0, 1), unchanged(0), unchanged(1));
    printf("structures %d %d\n", structures(0), structures(3) + 2);
    printf("handed on %d %d\n", handed_on(0), handed_on(1));
    printf("difference %d\n", difference());
    printf("same name %d %d\n", first_of_same(0), second_of_same(0));
    printf("threaded %d\n", threaded() + threaded() - 14);
    return 0;
}
