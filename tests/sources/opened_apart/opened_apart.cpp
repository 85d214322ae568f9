// Libraries that are opened with RTLD_LOCAL do not share inline functions, static locals and variables; those that are
// opened with RTLD_GLOBAL do: as in the plain build, also where calls go through the global offset table.
//# plugin: first.cpp second.cpp
//# flags: -fno-plt
//# linkers: lld
//# link: -ldl
//# lazy: _Z4askiiPKc
//# prints: local first 1 1 own 0
//# prints: local second 12 1 same type 1
//# prints: local first again 2 2
//# prints: global first 3 3
#include <cstdio>
#include <dlfcn.h>

#include "shared.hpp"

Answer ask(int flags, int times, const char *name) {
    void *handle = dlopen(name, RTLD_NOW | flags);
    if (!handle) return std::puts(dlerror()), Answer{};
    auto function = reinterpret_cast<Answer (*)()>(dlsym(handle, "answer"));
    Answer answer{};
    while (times--) answer = function();
    return answer;
}

int main() {
    Answer first = ask(RTLD_LOCAL, 1, "./libfirst.so");
    std::printf("local first %d %d own %d\n", first.count, first.made, first.address == count);
    Answer second = ask(RTLD_LOCAL, 1, "./libsecond.so");
    std::printf("local second %d %d same type %d\n", second.count, second.made,
                *first.type == *second.type);
    first = ask(RTLD_LOCAL, 1, "./libfirst.so");
    std::printf("local first again %d %d\n", first.count, first.made);
    first = ask(RTLD_GLOBAL, 1, "./libfirst.so");
    std::printf("global first %d %d\n", first.count, first.made);
    return 0;
}
