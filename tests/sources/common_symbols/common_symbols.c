// Tentative definitions in several files are one variable (-fcommon): of different sizes and alignments, one of them
// defined in the end, some in a library.
//# sources: common_second.c
//# library: common_library.c
//# mix
//# flags: -fcommon
//# linkers: bfd
//# prints: shared 3 4
//# prints: grows 40
//# prints: defined 7
//# prints: aligned 1
//# prints: library 5 5
//# prints: only common 9 10
//# prints: static 1
//# lazy: main set_second
#include <stdint.h>
#include <stdio.h>

int shared;
int array[2];
int defined;
_Alignas(256) char aligned[16];
int in_library;
int only_common;
static int own;

void set_second(int);
int second_shared(void), second_size(void), library_value(void);
int *address_of_only(void);

static int bump(void) { return ++own; }

int main(void) {
    set_second(3);
    printf("shared %d", shared);
    shared = 4;
    printf(" %d\n", second_shared());
    array[1] = second_size();
    printf("grows %d\n", array[1]);
    printf("defined %d\n", defined);
    printf("aligned %d\n", (uintptr_t)aligned % 256 == 0);
    in_library = 5;
    printf("library %d %d\n", library_value(), in_library);
    only_common = 9;
    printf("only common %d", only_common);
    ++*address_of_only();
    printf(" %d\n", only_common);
    printf("static %d\n", bump());
    return 0;
}
