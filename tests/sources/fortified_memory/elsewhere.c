// The second unit of fortified_memory.c: calls that may write to everything.
void elsewhere(void) {}
