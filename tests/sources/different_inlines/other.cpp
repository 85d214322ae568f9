// The other unit of different_inlines.cpp.
#define WHICH 2
#include "body.hpp"

int which_in_other() { return which(); }
