/* Always built plainly. */
#include <stdio.h>
int add(int a, int b);
int main(void) {
  int n = add(3, 4);
  printf("%d\n", n);
  return 0;
}
