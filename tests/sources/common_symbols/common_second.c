// The second unit of common_symbols.c.
int shared;
int array[10];
int defined = 7;
int only_common;

void set_second(int x) { shared = x; }
int second_shared(void) { return shared; }
int second_size(void) { return (int)sizeof array; }
int *address_of_only(void) { return &only_common; }
