int counter;
int exported(int x) { return x * 2; }
static int with_constructor = 1;
static int (*volatile pointer)(int);
int increment(int x) { counter++; return x + with_constructor; }
static int (*const table[])(int) = {exported, increment};
int through_table(int x) { return (pointer ? pointer : table[0])(x); }
int (*address(void))(int) { return exported; }
__attribute__((constructor)) static void begin(void) { pointer = increment; }
