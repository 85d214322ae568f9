// The plugin of function_identity.c.
#include "identity.h"

int in_plugin(int x) { return x + 7; }
static function *const table[] = {in_program, in_library, in_plugin};

int check(function *f, int which) {
    int before = f == table[which];
    f(1);
    return before && f == table[which] && f == (which == 0 ? in_program : which == 1 ? in_library : in_plugin);
}
