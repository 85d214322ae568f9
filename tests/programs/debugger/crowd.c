/* A debugger attaches to this while it waits: 300 functions have got code by then. */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
#define TEN(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7) ONE(n##8) ONE(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
volatile int go;
#define ONE(n) static int f##n(int x) { return x + n; }
HUNDRED(1) HUNDRED(2) HUNDRED(3)
#undef ONE
#define ONE(n) x = f##n(x);
static int inner(int x) {
  while (!go)
    usleep(1000);
  return x;
}
static int outer(int x) {
  HUNDRED(1) HUNDRED(2) HUNDRED(3)
  return inner(x);
}
int main(void) {
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  printf("%d\n", outer(4));
  return 0;
}
