// Opens ./library.so, which is lazy, as this program need not be.
#include <dlfcn.h>
#include <stdio.h>

int main(void) {
    void *library = dlopen("./library.so", RTLD_NOW);
    if (!library) {
        puts(dlerror());
        return 1;
    }
    int (*caught)(int) = (int (*)(int))dlsym(library, "caught");
    printf("%c\n", caught(1));
    return dlclose(library);
}
