// The second unit of function_attributes.c.
#include "attributed.h"

int hidden(int x) { return x + 5; }
int protected(int x) { return x + 6; }
int internal(int x) { return x + 7; }
