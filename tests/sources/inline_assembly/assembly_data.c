// What inline_assembly.c names.
int in_other_file = 7;
int undeclared(int x) { return x + 14; }
