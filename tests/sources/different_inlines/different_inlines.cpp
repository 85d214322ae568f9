// Units that were compiled with different macros hold different bodies of one inline function: the linker's choice
// decides, for all of them. (Not good C++, and common.)
//# sources: other.cpp
//# prints: one body: 1
#include <cstdio>

#define WHICH 1
#include "body.hpp"

int which_in_other();

int main() {
    // The first definition wins in all linkers; both callers must get the same.
    std::printf("one body: %d\n", which() == which_in_other());
    std::printf("the first: %d\n", which());
}
