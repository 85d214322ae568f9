// See cold_storm.c.
#define PART_NAME a
#include "part.h"
