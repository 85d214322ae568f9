// Hidden, protected and internal functions and variables in another file and in a library.
//# sources: hidden.c
//# library: protected.c
//# mix
//# prints: hidden 5 variable 6
//# prints: hidden table 7
//# prints: library 30 its own 40
#include <stdio.h>

__attribute__((visibility("hidden"))) int hidden_function(int);
__attribute__((visibility("hidden"))) extern int hidden_variable;
__attribute__((visibility("hidden"))) extern int (*const hidden_table[])(int);
int protected_function(void), hidden_of_library(void);

int main(void) {
    printf("hidden %d", hidden_function(4));
    printf(" variable %d\n", hidden_variable++);
    printf("hidden table %d\n", hidden_table[0](6) * (hidden_variable == 7));
    printf("library %d its own %d\n", protected_function(), hidden_of_library());
    return 0;
}
