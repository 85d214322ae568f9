// The second unit of static_destruction.cpp.
#include "tell.hpp"

static Tell global("global of the second unit");

void from_second_unit() {
    static Tell tell("static local of the second unit");
    std::printf("%s, %s\n", local_of_inline().name, Holder<int>::held.name);
}
