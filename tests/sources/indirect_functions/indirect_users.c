// The second unit of indirect_functions.c.
int exported(int);
__attribute__((visibility("hidden"))) int hidden(int);

int want_in_other_file(int wanted) { return wanted; }
int other_user(int x) { return hidden(x) - exported(0) + exported(0); }
