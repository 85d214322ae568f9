// A constant has one address: in bodies that are compiled apart, in data, and, where linkers merge it, in all files.
//# sources: constant_second.c
//# plain: constant_third.c
//# flags: -Wno-string-compare
//# levels: standard nopie o1
//# prints: const pointer 1 1
//# prints: returned 1 1 1
//# prints: in data 1 1 1
//# prints: other files 1 1 1
//# prints: suffix 6
//# prints: distance 3 3
//# prints: name of a function 1 first
//# prints: array 1 1
//# prints: compound literal 1 1
//# prints: copied 6 20
//# prints: chosen 1 1 0
//# prints: wide 1
//# stats: compiled >= 12
//# lazy: returned same_in_data
#include <stdio.h>
#include <wchar.h>

#include "constants.h"

typedef const char *text(int);

static const char *const OK = "ok!";
static const char *const table[] = {"alpha", "beta", "a longer suffix"};
static const int *const numbers = (const int[]){1, 2, 3};

// Each is called through a pointer that nothing sees through, so that each is compiled by itself.
#define APART __attribute__((noinline)) static
APART const char *ok(int x) { return x ? OK : 0; }
APART const char *ok_again(int x) { return x ? "ok!" : 0; }
const char *returned(int x) { return x > 1 ? "many" : "one"; }
APART const char *from_table(int x) { return table[x]; }
APART const char *beta(int x) { return x ? "beta" : "alpha"; }
APART const char *suffix(int x) { return x ? "suffix" : "a longer suffix"; }
APART const char *name(int x) { return x ? __func__ : name(1); }
APART const char *first(int x) { return x ? __func__ : 0; }
APART const char *whole(int x) { static const char letters[] = "abcdefgh"; return letters + x; }
APART const char *bytes(int x) { return (const char *)(numbers + x); }
APART const char *wide(int x) { return (const char *)(x ? L"wide" : L"text"); }
static text *volatile apart[] = {ok, ok_again, returned, from_table, beta, suffix, name, first, whole, bytes, wide};
#define CALL(i, x) apart[i](x)

int same_in_data(const char *p) { return p == table[1]; }

// Their constants are only copied from and loaded from: each batch may have them.
APART int copied(int x) {
    int all[] = {1, 2, 3, 4, 5};
    all[0] += x;
    return all[0] + all[1] + all[2];
}
APART int looked_up(int x) {
    static const int squares[] = {0, 1, 4, 9, 16, 25};
    return squares[x] + squares[x - 1] + squares[x - 2] - squares[x - 4] - squares[1];
}
static int (*volatile number[])(int) = {copied, looked_up};

int main(void) {
    const char *volatile text = CALL(0, 1);
    printf("const pointer %d %d\n", text == OK, CALL(1, 1) == OK);
    printf("returned %d %d %d\n", CALL(2, 5) == CALL(2, 6), CALL(2, 0) == CALL(2, 1), CALL(2, 0) != CALL(2, 5));
    printf("in data %d %d %d\n", CALL(3, 1) == CALL(4, 1), same_in_data(CALL(4, 1)), CALL(3, 0) == CALL(4, 0));
    printf("other files %d %d %d\n", shared_text() == "shared by both files", second_ok() == CALL(0, 1),
           plain_ok() == CALL(1, 1));
    // How far the one is in the other: linkers merge ends, or not.
    printf("suffix %zu\n", sizeof "suffix" - 1);
    printf("merged %d\n", CALL(5, 1) == CALL(5, 0) + 9);
    printf("distance %d %d\n", (int)(CALL(8, 3) - CALL(8, 0)), (int)((const int *)CALL(9, 3) - numbers));
    printf("name of a function %d %s\n", CALL(6, 0) == CALL(6, 1), CALL(7, 1));
    printf("array %d %d\n", CALL(8, 0) == CALL(8, 0), second_array(0) == second_array(1) - 1);
    printf("compound literal %d %d\n", CALL(9, 0) == (const char *)numbers, *(const int *)CALL(9, 2) == 3);
    printf("copied %d %d\n", number[0](0), number[1](5) - number[1](4));
    const char *volatile chosen = CALL(1, 1);
    printf("chosen %d %d %d\n", chosen == (text ? "ok!" : 0), chosen == second_ok(), chosen == CALL(2, 0));
    printf("wide %d\n", CALL(10, 1) == (const char *)L"wide");
    return 0;
}
