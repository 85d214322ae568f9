#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
int versioned(void), old(void);
__asm__(".symver old,versioned@ONE");
int main(void) {
    int (*found)(void) = (int (*)(void))dlvsym(RTLD_DEFAULT, "versioned", "ONE");
    printf("%d %d %d %d\n", versioned(), old(), found(), found == old);
    return 0;
}
