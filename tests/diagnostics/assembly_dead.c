// Wrong assembly in a branch for another machine, and in a function that is never called.
//# try: -O0
//# try: -O2

static inline void other(void) { __asm__ volatile("fmove.l %fp0, %d0"); }
int width(void) {
    if (sizeof(void *) == 2) __asm__ volatile("fmove.l %fp0, %d0");
    return sizeof(void *);
}
