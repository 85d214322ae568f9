// One of many libraries: a constructor calls lazy functions while it is loaded, the program calls another later.
int note(int);

__attribute__((visibility("hidden"), noinline)) int work(int x) { return x * 3 + 1; }
__attribute__((visibility("hidden"), noinline)) int first(int x) { return work(x) - 1; }
__attribute__((constructor)) static void start(void) { note(first(1)); }

int later(int x) { return work(x) + first(x); }
