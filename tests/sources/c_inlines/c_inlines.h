// Inline functions for both units of c_inlines.c.
#pragma once
static inline int count(void) {
    static int counter;
    return ++counter;
}
inline int c99(int x) { return x + 1; }
extern inline __attribute__((gnu_inline)) int gnu(int x) { return x + 1; }
static inline int four(int x, int y) { return x ? four(x - 1, y * x) : y; }
static inline int three(int x) { return four(x, 1); }
static inline int two(int x) { return three(x); }
static inline int one(int x) { return two(x); }
static inline int recursive(int x) { return x ? x * recursive(x - 1) : 1; }
__attribute__((always_inline)) static inline int innermost(int x) { return x + 1; }
__attribute__((always_inline)) static inline int inner(int x) { return innermost(innermost(x)); }
__attribute__((always_inline)) static inline int always(int x) { return innermost(inner(x)); }

int second_count(void), second_c99(int), second_gnu(int), second_recursive(int);
int (*second_address(void))(int);
