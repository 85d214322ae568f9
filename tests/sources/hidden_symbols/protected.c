// The library of hidden_symbols.c.
__attribute__((visibility("hidden"))) int hidden_function(int x) { return x * 10; }
__attribute__((visibility("protected"))) int protected_function(void) { return hidden_function(3); }
int hidden_of_library(void) { return hidden_function(4); }
