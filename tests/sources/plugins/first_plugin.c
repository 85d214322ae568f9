// The first library of plugins.c.
static int helper(int x) { return x + 1; }
int entry(int x) { return helper(x); }
