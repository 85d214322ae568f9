// The library of thread_local_everywhere.cpp.
#include "objects.hpp"

static int starting() { return 8; }
thread_local Object of_library(starting());
thread_local int constant_of_library = 9;
static thread_local Object hidden(starting());

int touch_in_library() {
    of_inline.value++;
    of_template<short>.value++;
    return local_in_inline() + Class<char>::member.value + hidden.value++ + of_library.value;
}
