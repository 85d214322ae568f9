// A program's function takes the place of its library's, for the library's own calls too, as ELF says.
//# library: interposed.c
//# prints: library calls program
//# prints: library calls its own
//# prints: variable 2
//# flags: -fsemantic-interposition
//# link: -rdynamic
#include <stdio.h>

const char *replaced(void) { return "program"; }
const char *call_replaced(void), *call_hidden(void);
int replaced_variable = 2;
int read_replaced(void);

int main(void) {
    printf("library calls %s\n", call_replaced());
    printf("library calls %s\n", call_hidden());
    printf("variable %d\n", read_replaced());
    return 0;
}
