// Throws and catches inside, out of and through linked code; check() returns 0 or the number of what went wrong.
#include <stdexcept>
#include <string>
#include <vector>

extern "C" void callback(int);

namespace {
int destroyed;
struct Guard {
  ~Guard() { destroyed++; }
};
struct Base {
  virtual ~Base() {}
  virtual int id() const { return 1; }
};
struct Derived : Base {
  int id() const override { return 2; }
};
struct Problem : std::runtime_error {
  using std::runtime_error::runtime_error;
};

__attribute__((noinline)) void deep(int n) {
  Guard guard;
  if (n == 0) throw Problem("deep");
  deep(n - 1);
}
__attribute__((noinline)) int size(const std::vector<std::string> &list) {
  int sum = 0;
  for (const auto &text : list) sum += text.size();
  return sum;
}
} // namespace

extern "C" int check() {
  try {
    deep(10);
    return 1;
  } catch (const std::exception &e) {
    if (std::string(e.what()) != "deep" || destroyed != 11) return 2;
  }
  try {
    throw 42;
  } catch (const char *) {
    return 3;
  } catch (int n) {
    if (n != 42) return 4;
  }
  try {
    (void)std::vector<int>().at(3);
    return 5;
  } catch (const std::out_of_range &) {
  }
  std::vector<std::string> list;
  for (int i = 0; i < 100; i++) list.push_back(std::string(i, 'x'));
  if (size(list) != 4950) return 6;
  Base *b = new Derived;
  int id = dynamic_cast<Derived *>(b)->id();
  delete b;
  return id == 2 ? 0 : 7;
}

// The callback unwinds through this frame, whose cleanup must run.
extern "C" int through(int n) {
  Guard guard;
  callback(n);
  return 0;
}
extern "C" int count() { return destroyed; }
extern "C" int throwing(void) { throw Problem("out"); }
