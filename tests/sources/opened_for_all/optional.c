__attribute__((weak)) int provided(int);
__attribute__((weak)) extern int provided_variable;
int entry(int x) { return provided && &provided_variable ? provided(x) == provided_variable : 0; }
