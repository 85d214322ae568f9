/* A debugger attaches to this while it waits, and lets it go. */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>
volatile int go;
static int inner(int n) {
  while (!go)
    usleep(1000);
  return n + 1;
}
static int late(int n) {
  int result = n * 3;
  return result;
}
static int outer(int n) {
  int r = inner(n * 2);
  r += late(r);
  return r;
}
int main(void) {
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
  printf("%d\n", outer(4));
  return 0;
}
