//! An unwinder in the program itself that finds its tables through dl_iterate_phdr: LLVM's libunwind, linked statically.
//# flags: -stdlib=libc++
//# link: -stdlib=libc++ -static-libstdc++ -rtlib=compiler-rt -unwindlib=libunwind -static-libgcc -Wl,--exclude-libs,ALL
//# linkers: lld
//# prints: caught 3 after 3 destructors
//# prints: later 7
//# prints: rounds 50
//# stats: compiled >= 4
//# dynamic: the plain program does something else
#include <cstdio>
#include <stdexcept>

static int destroyed;
struct Counted {
  ~Counted() { destroyed++; }
};

__attribute__((noinline)) int deep(int n) {
  Counted counted;
  if (n == 0)
    throw 3;
  return deep(n - 1) + 1;
}

template <int N> __attribute__((noinline)) void later() {
  Counted counted;
  throw std::runtime_error(N == 7 ? "later 7" : "later");
}

int main() {
  try {
    deep(2);
  } catch (int number) {
    printf("caught %d after %d destructors\n", number, destroyed);
  }
  // Compiled after the unwinder has looked for the first time.
  try {
    later<7>();
  } catch (const std::exception &error) {
    printf("%s\n", error.what());
  }
  int rounds = 0;
  for (int i = 0; i < 50; i++) {
    try {
      later<8>();
    } catch (const std::exception &) {
      rounds++;
    }
  }
  printf("rounds %d\n", rounds);
}
