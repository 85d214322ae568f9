// The second unit of constant_addresses.c.
#include "constants.h"

static const char letters[] = "letters";

const char *shared_text(void) { return "shared by both files"; }
const char *second_ok(void) { return "ok!"; }
const char *second_array(int x) { return letters + x; }
