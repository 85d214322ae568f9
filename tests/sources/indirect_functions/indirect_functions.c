// Indirect functions: static ones, called and in tables; exported, hidden and weak ones, aliases of them, one
// whose resolver uses data and calls another function; seen from another file and from a library; clones for processors.
//# sources: indirect_users.c
//# library: indirect_library.c
//# mix
//# linkers: bfd lld mold
//# prints: static 11 12
//# prints: static from a table 13
//# prints: exported 14 from the other file 15
//# prints: hidden 16
//# prints: with a lookup 17
//# prints: library 28 its own 29
//# prints: alias 18
//# prints: clones 3 10
//# lazy: main plus_ten other_user
//# static: pick_static want
//# stats: compiled >= 3
//# refuses: a symbol that only its module can name
#include <stdio.h>
#include <stdlib.h>

typedef int function(int);

int plus_ten(int x) { return x + 10; }
static int times_ten(int x) { return x * 10; }

static function *pick_static(void) { return plus_ten; }
static int picked(int) __attribute__((ifunc("pick_static")));
static function *const table[] = {picked};

static const int wanted = 1;
__attribute__((noinline)) static int want(void) { return wanted; }
int want_in_other_file(int);
static function *pick_exported(void) { return want_in_other_file(wanted) ? plus_ten : times_ten; }
int exported(int) __attribute__((ifunc("pick_exported")));
__attribute__((visibility("hidden"))) int hidden(int) __attribute__((ifunc("pick_static")));

static function *pick_with_lookup(void) {
    static function *const choices[] = {times_ten, plus_ten};
    return choices[want()];
}
int with_lookup(int) __attribute__((ifunc("pick_with_lookup")));
int alias(int) __attribute__((alias("exported")));

__attribute__((target_clones("default", "avx2"))) int clones(int x) { return x * 3; }
static __attribute__((target_clones("default", "avx2"))) int static_clones(int x) { return x * 5; }

int other_user(int), in_library(int), library_calls(int);

int main(void) {
    printf("static %d %d\n", picked(1), picked(2));
    printf("static from a table %d\n", table[0](3));
    printf("exported %d from the other file %d\n", exported(4), other_user(5));
    printf("hidden %d\n", hidden(6));
    printf("with a lookup %d\n", with_lookup(7));
    printf("library %d its own %d\n", in_library(8), library_calls(9));
    printf("alias %d\n", alias(8));
    printf("clones %d %d\n", clones(1), static_clones(abs(-2)));
    return 0;
}
