// The third unit of constant_addresses.c, which stays plain.
#include "constants.h"

const char *plain_ok(void) { return "ok!"; }
