// The strong functions of weak_and_alias.c.
const char *overridden(void) { return "strong"; }
const char *weak_alias(void) { return "strong alias"; }
