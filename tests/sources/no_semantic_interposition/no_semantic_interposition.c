// A library whose own definitions the compiler takes for final, though linkers know better: it calls its own functions, and
// has their addresses, also where the program has others of their names. Variables have no such names of their own.
//# library: final.c
//# flags: -fno-semantic-interposition
//# linkers: bfd lld mold
//# levels: standard o1
//# lazy: main replaced
//# prints: 4 21 1
//# prints: own 1002 200 program's 7001
//# prints: address 0 variable 9
#include <stdio.h>
int exported(int x);
int through_table(int x);
int (*address(void))(int);
int calls_replaced(int x), calls_late(int x), variable(void);
int (*address_of_replaced(void))(int);
extern int counter;

int replaced(int x) {
    counter = 7;
    return x;
}
int late(int x) { return x; }
int replaced_variable = 9;

int main(int argc, char **argv) {
    (void)argv;
    int result = exported(2);
    printf("%d %d %d\n", result, through_table(20), counter);
    printf("own %d %d program's", calls_replaced(argc), calls_late(argc));
    int own = replaced(argc);
    printf(" %d\n", counter * 1000 + own);
    printf("address %d variable %d\n", address_of_replaced() == replaced, variable());
    return 0;
}
