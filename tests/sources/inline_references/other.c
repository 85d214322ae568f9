#include "inline_references.h"
extern int pick(int index);
int other(void) { return table[1] == 5 ? -1 : pick(0); }
