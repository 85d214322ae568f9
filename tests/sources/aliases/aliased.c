// The second unit of aliases.c.
int other(int x) { return x + 20; }
int other_alias(int) __attribute__((alias("other")));
static int fallback(int x) { return x + 100; }
int replaced_weakly(int) __attribute__((weak, alias("fallback")));
int replaced(int x) { return replaced_weakly(x) - 77; }
