int provided(int);
static int beyond(int x) { return provided(x) + 2; }
int entry(int x) { return x > 5 ? beyond(x) : x + 1; }
