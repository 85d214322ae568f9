// A library whose own definitions the compiler may take for final, though linkers know better.
//# library: final.c
//# flags: -fno-semantic-interposition
//# linkers: bfd lld mold
//# lazy: main
//# prints: 4 21 1 1
#include <stdio.h>
int exported(int x);
int through_table(int x);
int (*address(void))(int);
extern int counter;
int main(void) {
  int result = exported(2);
  printf("%d %d %d %d\n", result, through_table(20), address() == exported, counter);
}
