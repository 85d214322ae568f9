// A library is opened whose constructor waits for a thread that makes the first lazy call of the process, while the
// loader's lock is held.
//# plugin: opened.c
//# linkers: mold
//# link: -pthread -ldl
//# static: main
//# lazy: later
//# prints: the thread computed 42
//# prints: later 7
#include <dlfcn.h>
#include <stdio.h>

int later(int x) { return x + 1; }

// Stays static, as it has a section of its own: the constructor's thread is the first to need the compiler.
__attribute__((section(".text.main"))) int main(void) {
    void *handle = dlopen("./libopened.so", RTLD_NOW);
    if (!handle) return puts(dlerror()), 1;
    printf("the thread computed %d\n", *(int *)dlsym(handle, "computed"));
    printf("later %d\n", later(6));
    return 0;
}
