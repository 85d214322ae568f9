// One mistake that memcheck sees, beside an exception.
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
static int risky(int n) {
  if (n > 2)
    throw std::out_of_range("large");
  return n;
}
static void peek(const int *value) {
  volatile int seen = *value;
  (void)seen;
}
int main() {
  int *block = static_cast<int *>(std::malloc(4 * sizeof(int)));
  block[0] = 5;
  int sum = block[0];
  peek(&block[0]);
  peek(&block[4]);
  std::free(block);
  try {
    sum += risky(1) + risky(3);
  } catch (const std::out_of_range &error) {
    std::puts(error.what());
  }
  std::printf("%d\n", sum);
}
