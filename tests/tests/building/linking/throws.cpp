// Linked with libgcc and libstdc++ from archives: what is thrown passes lazy frames and those of the archives.
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <unwind.h>

static int frames;
static _Unwind_Reason_Code count(_Unwind_Context *, void *) {
  frames++;
  return _URC_NO_REASON;
}

// From a handler: the walk passes the frame that the kernel has made.
static bool ended;
static void walk(int) { ended = _Unwind_Backtrace(count, nullptr) == _URC_END_OF_STACK && frames > 3; }

__attribute__((noinline)) static int deep(int n) {
  if (n == 0)
    throw 3;
  return deep(n - 1) + 1;
}

int main() {
  int caught = 0;
  const char *what = "";
  try {
    deep(5);
  } catch (int number) {
    caught = number;
  }
  try {
    std::string().at(caught);
  } catch (const std::out_of_range &) {
    what = "out_of_range";
  }
  signal(SIGUSR1, walk);
  raise(SIGUSR1);
  printf("%d %s, %d to the end\n", caught, what, ended);
}
