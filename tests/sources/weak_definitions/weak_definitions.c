// Optimisers learn nothing from a body or a value that another file may replace, whether they see it or not.
//# sources: strong_definitions.c
//# levels: standard o1 o3_g
//# linkers: lld bfd
//# prints: writes 7001
//# prints: returns 2
//# prints: no new memory 4
//# prints: null 2
//# prints: range 2
//# prints: constant 6
//# prints: argument 9
//# prints: reads 45
//# prints: throws nothing, frees nothing 8
//# prints: variables 2 3 5
//# prints: addresses 1 1
//# prints: inline 12
//# lazy: main writes returns no_new_memory null range constant argument reads after_free
//# stats: compiled >= 10
//# refuses: clang 16: comparisons that are constants there
#include <stdio.h>
#include <stdlib.h>

#define APART __attribute__((noinline))
#define WEAK __attribute__((weak, noinline))
#define WEAK_DATA __attribute__((weak))
int global;

// What strong_definitions.c has does the opposite of each.
WEAK int doubles(int x) { return x * 2; }
WEAK void never_returns(void) {
    for (;;) global++;
}
WEAK void *allocates(int n) { return malloc(n); }
WEAK int *never_null(void) {
    static int it;
    return &it;
}
WEAK int is_odd(int x) { return x & 1; }
WEAK int five(void) { return 5; }
WEAK void leaves_alone(int *p) { (void)p; }
WEAK int only_reads(int *p) { return *p; }
WEAK void frees_nothing(int **p) { (void)p; }
WEAK_DATA int variable = 1;
WEAK_DATA const int value = 1;
WEAK_DATA int array[4] = {1, 2, 3, 4};
WEAK_DATA int one;
WEAK_DATA int two;

APART int writes(int x) {
    global = 1;
    int result = doubles(x);
    return global * 1000 + result;
}
APART int returns(int x) {
    never_returns();
    return x + 1;
}
APART int no_new_memory(void) {
    global = 3;
    int *p = allocates(4);
    *p = 4;
    return global;
}
APART int null(void) { return never_null() ? 1 : 2; }
APART int range(int x) { return is_odd(x) < 2 ? 1 : 2; }
APART int constant(void) { return five(); }
APART int argument(void) {
    int local = 1;
    leaves_alone(&local);
    return local;
}
APART int reads(void) {
    global = 2;
    int before = only_reads(&global);
    return before * 10 + global;
}
APART int after_free(int *p) {
    *p = 7;
    frees_nothing(&p);
    return *p;
}
extern inline __attribute__((gnu_inline)) int elsewhere(int x) { return x + 11; }
APART int calls_inline(int x) { return elsewhere(x); }

int main(int argc, char **argv) {
    (void)argv;
    printf("writes %d\n", writes(argc));
    printf("returns %d\n", returns(argc));
    printf("no new memory %d\n", no_new_memory());
    printf("null %d\n", null());
    printf("range %d\n", range(argc));
    printf("constant %d\n", constant());
    printf("argument %d\n", argument());
    printf("reads %d\n", reads());
    int local;
    printf("throws nothing, frees nothing %d\n", after_free(&local));
    printf("variables %d %d %d\n", variable, value, array[0]);
    printf("addresses %d %d\n", &one == &two, &one != 0);
    printf("inline %d\n", calls_inline(argc));
    return 0;
}
