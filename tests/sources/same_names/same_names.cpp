// Libraries that define the same names differently: each sees its own, unless another was opened for all to see.
//# plain-plugin: first_names.cpp
//# plugin: second_names.cpp third_names.cpp
//# flags: -fsemantic-interposition
//# link: -rdynamic
//# linkers: lld mold
//# prints: local: 1 2 3
//# prints: their inline functions: 1 2 3
//# prints: closed: 1 2
//# prints: their inline functions: 3
//# prints: deep: 3
//# prints: program's own: 0
//# prints: destroyed 3
#include "names.hpp"
#include <cstdio>
#include <dlfcn.h>

extern "C" int number() { return 0; }

struct Library {
    void *handle;
    explicit Library(const char *path, int flags = RTLD_LOCAL) : handle(dlopen(path, RTLD_NOW | flags)) {
        if (!handle) std::puts(dlerror());
    }
    int call(const char *name) {
        auto function = (int (*)())dlsym(handle, name);
        return function();
    }
    int through_address() {
        auto function = (int (*(*)())())dlsym(handle, "address");
        return function()();
    }
};

int main() {
    Library first("./libfirst_names.so"), second("./libsecond_names.so"), third("./libthird_names.so");
    std::printf("local: %d %d %d\n", first.call("keep"), second.call("keep"), third.call("keep"));
    std::printf("their inline functions: %d %d %d\n", first.through_address(), second.through_address(),
                third.through_address());
    dlclose(first.handle);
    dlclose(second.handle);
    std::printf("closed: 1 2\n");
    std::printf("their inline functions: %d\n", third.through_address());
    dlclose(third.handle);
    // The program's function takes the place of theirs, but not for a library that looks at its own names first.
    Library deep("./libthird_names.so", RTLD_DEEPBIND);
    std::printf("deep: %d\n", deep.call("ask_number"));
    dlclose(deep.handle);
    Library shallow("./libthird_names.so");
    std::printf("program's own: %d\n", shallow.call("ask_number"));
    return 0;
}
