// A function that runs often, and prints stacks at its end.
void __sanitizer_print_stack_trace(void);
#include "traced.h"

static volatile unsigned sink;

// Lines are put in front of this.
static inline __attribute__((always_inline)) unsigned inner(int show, unsigned x) {
  if (show)
    __sanitizer_print_stack_trace();
  return x * 3 + sink;
}

// And of this.
__attribute__((noinline)) unsigned traced(int show, unsigned x) {
  unsigned sum = inner(show, x) + 1;
  return sum ^ in_header(show, sum);
}

__attribute__((noinline)) unsigned edited(unsigned x) { return x * 5 + sink; }

int main(void) {
  for (unsigned x = 0; x < 500; ++x)
    sink += traced(0, x) + edited(x);
  sink += traced(1, sink);
  return 0;
}
