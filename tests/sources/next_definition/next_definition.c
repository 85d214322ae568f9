// Functions that ask the loader for the next definition of their name: each passes on what it got, in load order.
//# library: outer.c inner.c
//# link: -ldl
//# linkers: bfd gold mold
//# prints: program: outer: inner: 5
//# prints: default outer 1
//# prints: address of the next 1
//# prints: of a version 1
//# lazy: compute
//# static: main
//# stats: compiled >= 3
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

int measure(int x);

// In front of both libraries.
__attribute__((noinline)) static int compute(int x) {
    printf("program: ");
    return measure(x);
}

int main(void) {
    printf("%d\n", compute(5));
    int (*outer_has_next)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "outer_has_next");
    void *first = dlsym(RTLD_DEFAULT, "measure");
    printf("default outer %d\n", first == (void *)measure);
    printf("address of the next %d\n", outer_has_next());
    printf("of a version %d\n", dlvsym(RTLD_DEFAULT, "printf", "GLIBC_2.2.5") == (void *)printf);
    return 0;
}
