struct number {
    int used, size;
};
void set(struct number *into, const struct number *from);
void never_defined(void);

#define INLINE extern inline __attribute__((gnu_inline))

INLINE void length(struct number *into, const struct number *from) {
    if (into != from) set(into, from);
    into->used += into->size > 1000 ? 3 : 1;
    into->size = into->size < 0 ? -into->size : into->size;
}

// What the optimiser removes wherever this is inlined.
INLINE int checked(struct number *number, int least) {
    int size = sizeof(struct number);
    if (size != 8) never_defined();
    if (number->used > 100) number->used -= 100;
    return number->size < least ? number->size : number->used > 100 ? -2 : -1;
}
