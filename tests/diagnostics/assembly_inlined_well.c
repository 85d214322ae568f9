// The same with good constants only: nothing is wrong, although the function alone could not be assembled.
//# try: -O1
//# try: -O2 -g

static inline int shifted(int x, int by) {
    __asm__("sall %1, %0" : "+r"(x) : "I"(by));
    return x;
}
int three(int x) { return shifted(x, 3); }
int four(int x) { return shifted(x, 4) + shifted(x, 5); }
