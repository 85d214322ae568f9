// The variable of thread_locals.c in a library.
__thread int in_library = 0;

int library_value(void) { return in_library; }
