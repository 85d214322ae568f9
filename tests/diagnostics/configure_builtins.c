// __int128, overflow builtins, atomics of 16 bytes, cpu_supports.
//# link
//# try: -O2
//# try: -O0
int main(int argc, char **argv) {
    __int128 wide = argc;
    int sum;
    static unsigned __int128 place;
    (void)argv;
    wide *= 3;
    __builtin_add_overflow(argc, 5, &sum);
    __sync_bool_compare_and_swap(&sum, 1, 2);
    __atomic_fetch_add(&sum, 1, __ATOMIC_SEQ_CST);
    return (int)wide + sum + __builtin_clzll(argc) + __builtin_cpu_supports("sse2") + (int)place > 10000;
}
