// Static keys and probes that fill a section of their own, as kernels and systemtap's sdt.h have them.
#define INLINE static inline __attribute__((always_inline))

INLINE int key(void) {
    __asm__ goto("1: nop\n\t.pushsection keys,\"aw\"\n\t.quad 1b\n\t.quad %l[no]\n\t.popsection" : : : : no);
    return 1;
no:
    return 0;
}

// An inline function that the optimiser may or may not put into its callers.
static inline int key_plus(int x) { return key() + x; }

#define PROBE(name, value)                                                                                       \
    __asm__ volatile("990: nop\n\t.pushsection probes,\"aw\"\n\t.quad 990b\n\t.asciz \"" #name "\"\n\t"          \
                     ".asciz \"%0\"\n\t.balign 32\n\t.popsection"                                                \
                     :                                                                                           \
                     : "nor"(value))

// Three levels deep.
INLINE int third(int x) { PROBE(third, x); return x + 1; }
INLINE int second(int x) { return third(x) * 2; }
INLINE int first(int x) { return second(x) + 3; }
