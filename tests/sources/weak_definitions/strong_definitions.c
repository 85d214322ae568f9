// The second unit of weak_definitions.c.
extern int global;
int doubles(int x) {
    global = 7;
    return x;
}
void never_returns(void) {}
void *allocates(int n) {
    (void)n;
    return &global;
}
int *never_null(void) { return 0; }
int is_odd(int x) { return x + 100; }
int five(void) { return 6; }
void leaves_alone(int *p) { *p = 9; }
int only_reads(int *p) {
    *p = 5;
    return 4;
}
void frees_nothing(int **p) {
    static int other = 8;
    *p = &other;
}
int variable = 2;
const int value = 3;
int array[4] = {5, 6, 7, 8};
int one;
extern int two __attribute__((alias("one")));
int elsewhere(int x) { return x + 11; }
