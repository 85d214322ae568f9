// See cold_storm.c.
#define PART_NAME b
#include "part.h"
