// The hidden symbols of hidden_symbols.c.
#pragma GCC visibility push(hidden)
int hidden_variable = 5;

int hidden_function(int x) {
    hidden_variable = x + 2;
    return x + 1;
}
static int in_table(int x) { return x + 1; }

int (*const hidden_table[])(int) = {in_table};
