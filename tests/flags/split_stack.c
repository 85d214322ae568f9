// One function has no split stack: with nothing else to look at, it could be lazy in an object whose code linkers change.
#include <stdio.h>

__attribute__((noinline, no_split_stack)) static int plain(int value) { return value * 3; }

__attribute__((noinline)) int split(int value) { return plain(value) + 1; }

int main(void) {
  printf("%d\n", split(13));
  return 0;
}
