// The second unit of priorities.c.
#include "priorities.h"

__attribute__((constructor(102))) static void early(void) { say("constructor 102 of second"); }
__attribute__((constructor)) static void ordinary(void) { say("constructor of second"); }
__attribute__((destructor(102))) static void late(void) { say("destructor 102 of second"); }
__attribute__((destructor)) static void ordinary_end(void) { say("destructor of second"); }
