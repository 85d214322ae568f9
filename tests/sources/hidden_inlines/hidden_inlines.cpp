// With -fvisibility=hidden each image has its own inline functions and static locals, as in the plain build; what is
// shown is shared.
//# flags: -fvisibility=hidden -fvisibility-inlines-hidden
//# sources: unit.cpp
//# library: library.cpp
//# linkers: mold
//# mix
//# lazy: main _Z7in_unitv
//# prints: counts 1111 2222 3210
//# prints: unit 1 1
//# prints: library 0 0
#include <cstdio>

#include "shared.hpp"

int in_unit();
int (*address_in_unit())();
int *variable_in_unit();
__attribute__((visibility("default"))) int in_library();
__attribute__((visibility("default"))) int (*address_in_library())();
__attribute__((visibility("default"))) int *variable_in_library();

int main() {
    Registry<int>::count() += 1;
    int own = next() * 100 + Registry<int>::count() + Shown::bump() * 1000 + 10;
    int unit = in_unit();
    int library = in_library();
    std::printf("counts %d %d %d\n", own, unit, library + 100);
    std::printf("unit %d %d\n", address_in_unit() == next, variable_in_unit() == &Registry<char>::count());
    std::printf("library %d %d\n", address_in_library() == next, variable_in_library() == &Registry<char>::count());
}
