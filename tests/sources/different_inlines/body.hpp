// The body that depends on a macro.
__attribute__((noinline)) inline int which() { return WHICH; }
