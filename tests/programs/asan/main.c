// Compiled by gcc with AddressSanitizer; helper.c is lazy. With an argument, it reads behind a block.
#include <stdio.h>
#include <stdlib.h>

int helper(int x);

int main(int argc, char **argv) {
  (void)argv;
  int *block = malloc(10 * sizeof *block);
  for (int i = 0; i < 10; i++) block[i] = i;
  printf("%d\n", helper(block[argc > 1 ? 10 : 9]) );
  free(block);
  return 0;
}
