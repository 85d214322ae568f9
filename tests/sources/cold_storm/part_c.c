// See cold_storm.c.
#define PART_NAME c
#include "part.h"
