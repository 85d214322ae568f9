// Functions for several processors, of which the loader chooses one.
#include <cstdio>
__attribute__((target("default"))) int version(int x) { return x * 2; }
__attribute__((target("avx2"))) int version(int x) { return x + x; }
__attribute__((target("avx512f"))) int version(int x) { return x << 1; }
__attribute__((target_clones("default", "avx2", "arch=x86-64-v4"))) int clone(int x) { return version(x) + 1; }
__attribute__((target("avx2"), noinline)) int wide(const int *p) {
  int sum = 0;
  for (int i = 0; i < 64; i++) sum += p[i] * i;
  return sum;
}
int (*volatile pointer)(int) = clone;
int main() {
  int numbers[64];
  for (int i = 0; i < 64; i++) numbers[i] = i;
  std::printf("%d %d %d\n", version(21), pointer(4), __builtin_cpu_supports("avx2") ? wide(numbers) : 85344);
}
