// A function that runs often, and prints stacks at its end: from a lambda in a template, and from a method.
extern "C" void __sanitizer_print_stack_trace(void);
#include "traced.h"

static volatile unsigned sink;

// Lines are put in front of this.
template <typename Value>
static inline __attribute__((always_inline)) Value inner(int show, Value x) {
  auto print = [&]() __attribute__((always_inline)) {
    if (show)
      __sanitizer_print_stack_trace();
    return x + sink;
  };
  return print() * 3;
}

// And of this.
struct Traced {
  unsigned add;
  __attribute__((noinline)) unsigned traced(int show, unsigned x) const {
    unsigned sum = inner(show, x) + add;
    return sum ^ in_header(show, sum);
  }
};

__attribute__((noinline)) unsigned edited(unsigned x) { return x * 5 + sink; }

int main() {
  Traced it{1};
  for (unsigned x = 0; x < 500; ++x)
    sink = sink + it.traced(0, x) + edited(x);
  sink = sink + it.traced(1, sink);
}
