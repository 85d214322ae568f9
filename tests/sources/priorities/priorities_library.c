// The library of priorities.c.
#include <stdio.h>

#include "priorities.h"

static int number;
static int step(void) { return 1; }
int next_number(void) { return number += step(); }

__attribute__((constructor)) static void construct(void) { printf("%d library constructor\n", next_number()); }
__attribute__((destructor)) static void destruct(void) { printf("%d library destructor\n", next_number()); }
