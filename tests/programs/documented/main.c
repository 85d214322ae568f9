#include <stdio.h>
int helper(int);
static int twice(int x) { return 2 * x; }
int main(void) {
  printf("%d\n", twice(helper(20)));
  return 0;
}
