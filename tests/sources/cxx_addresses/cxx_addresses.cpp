// The address of an inline function, template, member, lambda is the same in every file, library and opened library,
// before and after calls; a hidden one has an address for each image.
//# sources: unit.cpp
//# library: library.cpp
//# plugin: opened.cpp
//# mix
//# linkers: bfd lld
//# link: -ldl -rdynamic
//# lazy: _Z17addresses_in_unitv
//# prints: unit 111111 111 1 10
//# prints: library 111111 111 0 10
//# prints: plugin 111111 111 0 10
//# prints: again 111111 111 1 10
//# prints: library's own 1
//# prints: results 3 5 4 5 6 7
//# prints: different 1
#include <cstdio>
#include <dlfcn.h>

#include "functions.hpp"

static void compare(const char *where, const Addresses &theirs, const Addresses &ours) {
    std::printf("%s ", where);
    for (std::size_t i = 0; i < ours.plain.size(); i++) std::printf("%d", theirs.plain[i] == ours.plain[i]);
    std::printf(" %d%d%d %d %d\n", theirs.member == ours.member, theirs.virtually == ours.virtually,
                theirs.plus == ours.plus, theirs.hidden == ours.hidden, theirs.sum);
}

int main() {
    Addresses ours = addresses();
    compare("unit", addresses_in_unit(), ours);
    compare("library", addresses_in_library(), ours);
    void *handle = dlopen("./libopened.so", RTLD_NOW | RTLD_LOCAL);
    if (!handle) return std::puts(dlerror()), 1;
    auto in_plugin = reinterpret_cast<Addresses *(*)()>(dlsym(handle, "addresses_in_plugin"));
    Addresses *theirs = in_plugin();
    compare("plugin", *theirs, ours);
    delete theirs;
    std::printf("results");
    for (Function function : ours.plain) std::printf(" %d", function(1));
    std::puts("");
    Table<2> table;
    int sum = (table.*ours.member)(4) + (table.*ours.virtually)(4) + ours.hidden(1);
    compare("again", addresses_in_unit(), addresses());
    std::printf("library's own %d\n", from_library() == only_library_takes);
    bool different = true;
    for (std::size_t i = 0; i < ours.plain.size(); i++)
        for (std::size_t j = 0; j < i; j++) different &= ours.plain[i] != ours.plain[j];
    std::printf("different %d\n", different && sum == 18);
}
