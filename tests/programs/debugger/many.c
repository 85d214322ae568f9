/* More functions than are compiled together for a debugger: `first` is the first of them, `last` one of the last. */
#include <stdio.h>

static int counter = 5;
static int last(int n);

int first(int n) {
  counter += n;
  return last(n + 1);
}

#define FUNCTION(N) int f##N(int n) { return n + N; }
#define TEN(N) \
  FUNCTION(N##0) FUNCTION(N##1) FUNCTION(N##2) FUNCTION(N##3) FUNCTION(N##4) \
  FUNCTION(N##5) FUNCTION(N##6) FUNCTION(N##7) FUNCTION(N##8) FUNCTION(N##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7)
TEN(8) TEN(9) TEN(10) TEN(11) TEN(12) TEN(13)

int main(void) {
  int n = first(1);
  printf("%d\n", n + f10(n) + f139(n));
  return n != 12;
}

/* Defined behind its first use, as static functions are that call nothing themselves. */
static int last(int n) {
  int result = counter * n;
  return result;
}
