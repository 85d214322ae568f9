// The second library of plugins.c.
int callback(int);
static int constructed;
__attribute__((constructor)) static void construct(void) { constructed = 1; }
int entry(int x) { return callback(x + constructed); }
