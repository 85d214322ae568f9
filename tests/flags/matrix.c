// Matrices, an extension of clang's.
#include <stdio.h>

typedef float m2 __attribute__((matrix_type(2, 2)));
int main(void) {
  m2 a;
  a[0][0] = 1, a[0][1] = 2, a[1][0] = 3, a[1][1] = 4;
  a = a * a;
  printf("%.0f\n", a[1][1]);
}
