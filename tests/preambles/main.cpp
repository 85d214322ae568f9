// A source with what preambles are about: headers of three directories, one of which is looked for in front of another.
#define GREETING "hello"
#include <stddef.h>
#include "near/near.h"
#include "second.h"
#ifdef GREETING
#include "shape.h"
#endif

int body(int value) { return Twice<int>::of(value) + shape_area(value, NEAR) + SECOND; }
