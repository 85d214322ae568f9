// Loses memory in one function.
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static void *leak_here(int size) {
  char *lost = malloc(size);
  lost[0] = 1;
  return lost;
}

__attribute__((noinline)) static int use(int size) { return *(volatile char *)leak_here(size); }

__attribute__((noinline)) static int overwrite(int x) {
  volatile char stack[4096] = {0};
  stack[x] = 1;
  return stack[x];
}

int main(void) {
  int result = use(1234);
  result += overwrite(17);
  printf("%d\n", result);
  return 0;
}
