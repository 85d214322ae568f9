// Static tables of function pointers, constant and not, of static functions and of other files' functions.
//# sources: handlers.c
//# prints: constant 3 2 6
//# prints: changed 6 9
//# prints: nested minus 5
//# prints: other file's 100 200
//# prints: pointer to table 14
#include <stdio.h>
#include <string.h>

typedef int operation(int, int);

static int plus(int a, int b) { return a + b; }
static int minus(int a, int b) { return a - b; }
static int times(int a, int b) { return a * b; }
extern operation *const handlers[];
extern operation handler_one;

static operation *const constant[] = {plus, minus, times};
static operation *changing[2] = {times, handler_one};
static const struct {
    const char *name;
    struct { operation *function; int argument; } nested;
} named[] = {{"plus", {plus, 1}}, {"minus", {minus, 2}}, {"times", {times, 3}}};
static operation *const *const pointer = &constant[1];

int main(void) {
    printf("constant %d %d %d\n", constant[0](1, 2), constant[1](5, 3), constant[2](2, 3));
    int before = changing[0](2, 3);
    changing[0] = times;
    changing[1] = plus;
    printf("changed %d %d\n", before, changing[1](4, 5));
    for (unsigned i = 0; i < 3; i++)
        if (!strcmp(named[i].name, "minus"))
            printf("nested %s %d\n", named[i].name, named[i].nested.function(7, named[i].nested.argument));
    printf("other file's %d %d\n", handlers[0](1, 1), handlers[1](1, 2));
    printf("pointer to table %d\n", pointer[1](2, 7));
    return 0;
}
