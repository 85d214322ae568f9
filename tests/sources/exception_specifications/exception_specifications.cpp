// What is thrown against a specification ends in the handlers that the program has set, and then in abort.
//# flags: -std=c++14 -Wno-deprecated -Wno-exceptions
//# linkers: lld
//# lazy: _Z7promisei _Z5limitv _Z5lyingv
//# prints: kept promise 1
//# prints: unexpected, replaced by 7
//# prints: destructors 1
//# prints: terminating: std::runtime_error broken promise
//# exit: signal 6
#include <cstdio>
#include <cxxabi.h>
#include <exception>
#include <stdexcept>
#include <typeinfo>

int promise(int x) noexcept {
    if (x > 1) throw std::runtime_error("broken promise");
    return x;
}
void limit() throw(int) { throw "not an int"; }
void lying() { limit(); }

static int destructors = 0;
struct Guard {
    ~Guard() { destructors++; }
};

int main() {
    std::set_unexpected([] {
        std::printf("unexpected, ");
        throw 7;
    });
    std::set_terminate([] {
        std::printf("terminating: ");
        try {
            std::rethrow_exception(std::current_exception());
        } catch (const std::exception &error) {
            int status = 0;
            char *name = abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status);
            std::printf("%s %s\n", name, error.what());
        }
        std::fflush(stdout);
        std::abort();
    });
    std::printf("kept promise %d\n", promise(1));
    try {
        Guard guard;
        lying();
    } catch (int value) {
        std::printf("replaced by %d\n", value);
    }
    std::printf("destructors %d\n", destructors);
    try {
        promise(2);
    } catch (...) {
        std::puts("never");
    }
}
