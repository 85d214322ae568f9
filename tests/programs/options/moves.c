// Changes its working directory before anything else.
#include <stdio.h>
#include <unistd.h>

// Compiled as usual, which the plugin says at level debug.
__attribute__((constructor)) static void start(void) {}

static int twice(int x) { return 2 * x; }

int main(void) {
  if (chdir("elsewhere")) return 1;
  printf("%d\n", twice(21));
  return 0;
}
