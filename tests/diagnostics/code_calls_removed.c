// Calls that do not remain: only the optimiser, with the bodies of what is called, knows.
//# try: -O1
//# try: -O2
//# try: -O3 -g
void never(void) __attribute__((error("not this")));
static inline __attribute__((always_inline)) void check(int condition) {
    if (!__builtin_constant_p(condition) || !condition) never();
}
static int four(void) { return 4; }
static inline void checked(int n) {
    if (n > 10) never();
}
int use(int x) {
    check(sizeof(int) == 4);
    if (four() != 4) never();
    checked(7);
    return x;
}
