/* The same in C. */
#include <stddef.h>
#include "near/near.h"
#include "second.h"

int body(int value) { return value + NEAR + SECOND; }
