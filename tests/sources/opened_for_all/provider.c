int provided(int x) { return 2 * x; }
int provided_variable = 2;
