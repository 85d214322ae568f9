// Calls back when it is closed, through a function that is called for the first time then.
void note_closing(int by);
__attribute__((noinline)) static int twice(int x) { return 2 * x; }
__attribute__((noinline)) static int half(int x) { return x / 2; }
int entry(int x) { return 200 + twice(x) - half(2 * x); }
__attribute__((noinline)) void tell(int by) { note_closing(by); }
__attribute__((destructor)) static void closing(void) { tell(half(2)); }
