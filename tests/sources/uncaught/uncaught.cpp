// An exception that nothing catches ends the program as it does the plain one, with the same message.
//# prints: before
//# exit: signal 6
#include <cstdio>
#include <stdexcept>

static void deeper(int depth) {
    if (depth == 0) throw std::runtime_error("nobody wants this");
    deeper(depth - 1);
}

int main() {
    std::puts("before");
    std::fflush(stdout);
    deeper(3);
    std::puts("never printed");
}
