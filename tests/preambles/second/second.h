#ifndef SECOND
#define SECOND 7
static inline int second_unused(int value) { return value - SECOND; }
#endif
