// The same in a file.
//# try: -O2 -fsave-optimization-record
//# writes: opt.yaml
static int add(int a, int b) { return a + b; }
int twice(int x) { return add(x, x); }
