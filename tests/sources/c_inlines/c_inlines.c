// Inline functions of C in several files: static, C99 with one external definition, GNU, always inlined and nested;
// static locals, of which there is one for each function that is one.
//# sources: c_inlines_second.c
//# mix
//# linkers: mold
//# prints: own statics 1 2 3 and 1 2
//# prints: c99 11 21
//# prints: gnu 31 41
//# prints: nested 3628800
//# prints: recursive 120 5040
//# prints: always 7
//# prints: address 1 through it 61
//# prints: blocks 10 11 20 12
//# lazy: main c99
#include <stdio.h>

#include "c_inlines.h"

extern inline int c99(int); // the external definition is here

static int blocks(int which) {
    if (which) {
        static int value = 20;
        return value++;
    }
    static int value = 10;
    return value++;
}

int main(void) {
    int a = count(), b = count(), c = count(), d = second_count(), e = second_count();
    printf("own statics %d %d %d and %d %d\n", a, b, c, d, e);
    printf("c99 %d %d\n", c99(10), second_c99(20));
    printf("gnu %d %d\n", gnu(30), second_gnu(40));
    printf("nested %d\n", one(10));
    printf("recursive %d %d\n", recursive(5), second_recursive(7));
    printf("always %d\n", always(4));
    int (*pointer)(int) = c99;
    printf("address %d through it %d\n", pointer == second_address(), pointer(60));
    int first = blocks(0), second = blocks(0), third = blocks(1);
    printf("blocks %d %d %d %d\n", first, second, third, blocks(0));
    return 0;
}
