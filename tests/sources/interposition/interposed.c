// The library of interposition.c.
const char *replaced(void) { return "library"; }
static const char *not_replaced(void) { return "its own"; }
int replaced_variable = 1;

const char *call_replaced(void) { return replaced(); }
const char *call_hidden(void) { return not_replaced(); }
int read_replaced(void) { return replaced_variable; }
