/* A debugger attaches to this while it waits; then it calls what was never called. */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
volatile int go;
int known(int n) { return n + 1; }
static void wait_for_it(void) {
  while (!go)
    usleep(1000);
}
typedef int function(int);
#define FUNCTION(N) \
  int f##N(int n) { return n + N; }
#define TEN(N) \
  FUNCTION(N##0) FUNCTION(N##1) FUNCTION(N##2) FUNCTION(N##3) FUNCTION(N##4) \
  FUNCTION(N##5) FUNCTION(N##6) FUNCTION(N##7) FUNCTION(N##8) FUNCTION(N##9)
TEN(1) TEN(2)
function *volatile table[] = {f10, f11, f12, f13, f14, f15, f16, f17, f18, f19,
                              f20, f21, f22, f23, f24, f25, f26, f27, f28, f29};
int main(void) {
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  int sum = known(1);
  wait_for_it();
  sum += known(2);
  for (int i = 0; i < 20; i++)
    sum += table[i](i);
  sum += known(3);
  printf("%d\n", sum);
  return sum != 589;
}
