// A program with an unwinder of its own: it catches what libraries throw that come and go, each at the other's place.
//# plugin: thrower.cpp other_thrower.cpp
//# link: -static-libgcc -rdynamic
//# linkers: bfd lld
//# prints: caught 60 and 120
//# prints: own 60
#include <cstdio>
#include <dlfcn.h>

extern "C" void raise_number(int number) { throw number; }

static int caught(const char *path) {
    void *library = dlopen(path, RTLD_NOW);
    if (!library) return std::puts(dlerror()), 0;
    auto entry = (void (*)(int))dlsym(library, "entry");
    int result = 0;
    try {
        entry(1);
    } catch (int number) {
        result = number;
    }
    dlclose(library);
    return result;
}

__attribute__((noinline)) static int own(int depth) {
    try {
        if (depth > 0) return own(depth - 1);
        raise_number(1);
    } catch (int number) {
        return number;
    }
    return 0;
}

int main() {
    int first = 0, second = 0, third = 0;
    for (int i = 0; i < 60; i++) {
        first += caught("./libthrower.so");
        second += caught("./libother_thrower.so");
        third += own(i % 4);
    }
    std::printf("caught %d and %d\n", first, second);
    std::printf("own %d\n", third);
    return 0;
}
