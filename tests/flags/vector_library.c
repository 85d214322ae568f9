// Loops for which a library has vector functions, also by way of an inline function: other digits than the scalar ones.
#include <math.h>
#include <stdio.h>

double x[4096], y[4096];
static inline double both(double x) { return sin(x) * exp(x); }
__attribute__((noinline)) void all(int n) {
  for (int i = 0; i < n; i++) y[i] = both(x[i]) + log(x[i] + 1);
}
int main(void) {
  for (int i = 0; i < 4096; i++) x[i] = i * 0.0123;
  all(4096);
  unsigned long h = 0;
  for (int i = 0; i < 4096; i++) {
    unsigned long u;
    __builtin_memcpy(&u, &y[i], 8);
    h = h * 31 + u;
  }
  printf("%lx\n", h);
}
