// A signed overflow in a function that is called by another.
#include <limits.h>
#include <stdio.h>

__attribute__((noinline)) static int overflow_here(int x) {
  return x + 1;
}

__attribute__((noinline)) static int calls_it(int x) {
  int result = overflow_here(x);
  return result ^ 1;
}

int main(int argc, char **argv) {
  (void)argv;
  printf("%d\n", calls_it(INT_MAX - 1 + argc) == 0);
  return 0;
}
