#include "inline_references.h"
int other(void) { return table[1] == 5 ? -1 : pick(0); }
