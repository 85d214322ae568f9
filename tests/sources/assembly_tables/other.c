#include "assembly_tables.h"

int in_other(int x) { return key() ? first(x) : second(x); }
