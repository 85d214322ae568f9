// An immediate operand that only inlining makes a constant: not to be had at -O0, and out of range for one caller.
//# try: -O2
//# answers: no
//# says: assembly_inlined.c

static inline int shifted(int x, int by) {
    __asm__("sall %1, %0" : "+r"(x) : "I"(by));
    return x;
}
int good(int x) { return shifted(x, 3); }
int bad(int x) { return shifted(x, 77); }
