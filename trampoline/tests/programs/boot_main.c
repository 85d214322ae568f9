// The plain part of the program of tests/boot.rs.
#include <stdio.h>

int first(int, int), second(int), shared(void);

int main(void) {
  printf("%d %d %d\n", first(4, 2), second(1), shared());
  printf("%d %d %d\n", first(1, 2), second(2), shared());
  return 3;
}
