// The second unit of thread_local_everywhere.cpp.
#include "objects.hpp"

static int starting() { return 6; }
thread_local Object of_other(starting());
thread_local int constant_of_other = 7;
static thread_local int hidden = starting();

int touch_in_other() {
    of_inline.value++;
    of_template<short>.value++;
    return local_in_inline() + Class<char>::member.value + hidden++;
}
