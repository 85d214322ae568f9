// Expressions that are constants in LLVM 16 and instructions later; not -g.
extern int optional(void) __attribute__((weak));
int choose(void) { return optional ? 3 : 4; }
int plain(int x) { return x + 1; }
