__attribute__((noinline)) int elsewhere(int n) {
    static volatile int calls;
    return calls++, n * 8;
}
int calls_elsewhere(int n) { return elsewhere(n); }
