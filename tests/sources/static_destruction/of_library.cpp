// The library of static_destruction.cpp.
#include "tell.hpp"

static Tell global("global of the library");

void from_library() {
    static Tell tell("static local of the library");
    std::printf("%s, %s\n", local_of_inline().name, variable_template<char>.name);
}
