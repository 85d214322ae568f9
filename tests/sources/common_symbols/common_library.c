// The library of common_symbols.c.
int in_library;
int library_value(void) { return in_library; }
