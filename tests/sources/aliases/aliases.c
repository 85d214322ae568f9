// Aliases of functions and variables: of static functions, of aliases, weak, hidden, in tables, with other types;
// weak references; all of them called before what they stand for.
//# sources: aliased.c
//# mix
//# linkers: mold
//# prints: of static 11
//# prints: chain 12 same 1
//# prints: weak 13 hidden 14
//# prints: table 15 16
//# prints: of a variable 17 18
//# prints: part of a variable 20
//# prints: weakref 19 missing 1
//# prints: other file 21 22
//# prints: overridden 23
//# prints: thread-local 3 4
//# lazy: main original other step
//# refuses: clang 16: comparisons that are constants there
#include <stdio.h>

typedef int function(int);

static int local(int x) { return x + 10; }
int of_static(int) __attribute__((alias("local")));

int original(int x) { return x + 11; }
int first(int) __attribute__((alias("original")));
int second(int) __attribute__((alias("first")));
int weak_one(int) __attribute__((weak, alias("original")));
__attribute__((visibility("hidden"))) int hidden_one(int) __attribute__((alias("original")));
static function *const table[] = {of_static, weak_one};

static int variable = 17;
extern int renamed __attribute__((alias("variable")));
int pair[2] = {19, 20};
extern int pair_again[2] __attribute__((alias("pair")));

static int reference(int) __attribute__((weakref("original")));
static int missing(int) __attribute__((weakref("nowhere_to_be_found")));

static __thread int thread_local = 3;
extern __thread int thread_alias __attribute__((alias("thread_local")));
int step(void) { return thread_alias++; }

int other(int), other_alias(int), replaced(int);

int main(void) {
    printf("of static %d\n", of_static(1));
    function *volatile ends[] = {second, first, original};
    printf("chain %d same %d\n", second(1), ends[0] == ends[1] && ends[1] == ends[2]);
    printf("weak %d hidden %d\n", weak_one(2), hidden_one(3));
    printf("table %d %d\n", table[0](5), table[1](5));
    printf("of a variable %d", renamed);
    renamed++;
    printf(" %d\n", variable);
    printf("part of a variable %d\n", pair_again[1]);
    printf("weakref %d missing %d\n", reference(8), missing == 0);
    printf("other file %d %d\n", other_alias(1), other(2));
    printf("overridden %d\n", replaced(0));
    int old = step();
    printf("thread-local %d %d\n", old, thread_local);
    return 0;
}
