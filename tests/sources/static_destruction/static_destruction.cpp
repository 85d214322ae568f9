// Global objects, inline variables, static members of templates and static locals are made in the plain program's
// order, once, and destroyed in the reverse order, mixed with exit handlers; across units and libraries.
//# sources: second_unit.cpp
//# library: of_library.cpp
//# linkers: mold
//# mix
//# lazy: main _Z6unusedv _Z11local_latelyi
//# stats: compiled >= 3
//# prints: main begins
//# prints: exit handler
//# prints: -early
#include "tell.hpp"

#include <cstdlib>

void from_second_unit();
void from_library();

__attribute__((init_priority(300))) Tell late("late");
__attribute__((init_priority(200))) Tell early("early");
static Tell global("global of the first unit");
Tell array[2] = {Tell("array 0"), Tell("array 1")};

Tell &local_lately(int which) {
    if (which) {
        static Tell tell("static local 1");
        return tell;
    }
    static Tell tell("static local 0");
    return tell;
}
Tell &unused() {
    static Tell tell("never made");
    return tell;
}

int main() {
    std::puts("main begins");
    local_lately(1);
    std::atexit([] {
        static Tell tell("made while exiting");
        std::puts("exit handler");
    });
    local_lately(0);
    from_second_unit();
    from_library();
    std::printf("%s, %s, %s\n", local_of_inline().name, Holder<int>::held.name, variable_template<char>.name);
    std::puts("main ends");
}
