int counter;
int exported(int x) { return x * 2; }
static int with_constructor = 1;
static int (*volatile pointer)(int);
int increment(int x) { counter++; return x + with_constructor; }
static int (*const table[])(int) = {exported, increment};
int through_table(int x) { return (pointer ? pointer : table[0])(x); }
int (*address(void))(int) { return exported; }
__attribute__((constructor)) static void begin(void) { pointer = increment; }

// The program has others of these names.
__attribute__((noinline)) int replaced(int x) { return x * 2; }
int calls_replaced(int x) {
    counter = 1;
    int result = replaced(x);
    return counter * 1000 + result;
}
int (*address_of_replaced(void))(int) { return replaced; }
int late(int x);
int calls_late(int x) { return late(x); }
__attribute__((noinline)) int late(int x) { return x * 200; }
int replaced_variable = 4;
int variable(void) { return replaced_variable; }
