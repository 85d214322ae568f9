// An exception that meets a noexcept function ends the program through its terminate handler.
//# prints: terminate: leaving noexcept
//# exit: 5
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

static void thrower() { throw std::runtime_error("leaving noexcept"); }
static void guarded() noexcept { thrower(); }

static void on_terminate() {
    try {
        std::rethrow_exception(std::current_exception());
    } catch (const std::exception &error) {
        std::printf("terminate: %s\n", error.what());
    }
    std::exit(5);
}

int main() {
    std::set_terminate(on_terminate);
    try {
        guarded();
    } catch (...) {
        std::puts("caught what must not leave");
    }
}
