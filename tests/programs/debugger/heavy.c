/* Takes more than a second to compile with optimisation. */
#include <stdio.h>
#define FUNCTION(N) \
  int f##N(int n, const int *a) { \
    int s = N, t[16] = {0}; \
    for (int i = 0; i < n; i++) \
      for (int j = i; j < n; j++) { \
        switch ((a[j] + N) % 7) { \
        case 0: s += a[i] * 3; break; \
        case 1: s ^= a[j] + i; break; \
        case 2: t[(i + j) & 15] += s; break; \
        case 3: s -= t[j & 15]; break; \
        case 4: s += a[i] / (j + 1); break; \
        default: s = s * 31 + j; \
        } \
      } \
    for (int i = 0; i < 16; i++) \
      s += t[i] * N; \
    return s; \
  }
#define TEN(N) \
  FUNCTION(N##0) FUNCTION(N##1) FUNCTION(N##2) FUNCTION(N##3) FUNCTION(N##4) \
  FUNCTION(N##5) FUNCTION(N##6) FUNCTION(N##7) FUNCTION(N##8) FUNCTION(N##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9)
TEN(10) TEN(11) TEN(12) TEN(13) TEN(14) TEN(15) TEN(16) TEN(17) TEN(18) TEN(19)
int main(void) {
  int a[] = {3, 1, 4, 1, 5, 9, 2, 6};
  printf("%d\n", f10(8, a) != f11(8, a));
  return 0;
}
