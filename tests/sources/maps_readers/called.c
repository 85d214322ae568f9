int later(int x) { return x + 1; }

__attribute__((noinline)) static int half(int x) { return later(x); }
int deep(int x) { return half(x) * 2; }
