#include <dlfcn.h>
#include <stdio.h>
int twice(int x) { return 2 * x; }
int main(void) {
    void *library = dlopen("./libwork.so", RTLD_NOW);
    int (*work)(int) = library ? (int (*)(int))dlsym(library, "work") : NULL;
    if (!work) { puts(dlerror()); return 1; }
    printf("%d %d %d\n", work(1), work(3), twice(work(2)));
    return dlclose(library);
}
