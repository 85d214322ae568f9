// Functions of the program that have names of the C library: what that says of its functions does not hold for them, where
// their body is in another batch. The second unit has static ones.
//# sources: own_static_functions.c
//# levels: standard o1 o3_g os
//# linkers: lld
//# dynamic: the C library would use them
//# prints: writes 142
//# prints: unused 1
//# prints: same result 121
//# prints: in a constructor 42
//# prints: static writes 142
//# prints: static unused 3
//# prints: static same result 121
//# prints: static rounding 35
//# lazy: strlen strdup writes unused same_result static_functions
//# stats: compiled >= 10
#include <stdio.h>

size_t strlen(const char *);
char *strdup(const char *);

void static_functions(const char *text);

int calls;
static char kept[16];
__attribute__((noinline)) size_t strlen(const char *s) {
    calls++;
    return s ? 42 : 0;
}
__attribute__((noinline)) char *strdup(const char *s) {
    kept[0] = *s;
    return kept;
}

__attribute__((noinline)) int writes(const char *text) {
    int before = calls;
    size_t length = strlen(text);
    return (calls - before) * 100 + length;
}
__attribute__((noinline)) int unused(const char *text) {
    int before = calls;
    strlen(text);
    return calls - before;
}
__attribute__((noinline)) void same_result(const char *text) {
    char *first = strdup(text), *second = strdup("b");
    first[1] = 'x';
    second[1] = 'y';
    printf("same result %d\n", first[1]);
}

// Constructors are compiled as usual, and call what is lazy.
static int before_main;
__attribute__((constructor)) static void early(int argc, char **argv) {
    (void)argc;
    int before = calls;
    before_main = strlen(argv[0]) + (calls == before ? 1000 : 0);
}

int main(int argc, char **argv) {
    (void)argc;
    printf("writes %d\n", writes(argv[0]));
    printf("unused %d\n", unused(argv[0]));
    same_result(argv[0]);
    printf("in a constructor %d\n", before_main);
    static_functions(argv[0]);
    return 0;
}
