// Exceptions across lazy and plain frames, both ways: lazy throws through plain to lazy, plain through lazy to plain.
//# plain: relay.cpp
//# prints: caught 7 from below
//# prints: caught plain from above
//# prints: rethrown twice
//# prints: kept for later
//# prints: not caught here, but there
//# prints: destructors 4
#include <cstdio>
#include <exception>
#include <stdexcept>

// In relay.cpp, which stays plain.
void relay(void (*function)(int), int value);
bool plain_catches(void (*function)());
[[noreturn]] void plain_throws(const char *what);

static int destructors = 0;
struct Guard {
    ~Guard() { destructors++; }
};

static void throws(int value) {
    Guard guard;
    throw value;
}

static void throws_from_above() {
    Guard guard;
    plain_throws("plain from above");
}

static void rethrows() {
    try {
        throw std::runtime_error("rethrown");
    } catch (...) {
        Guard guard;
        throw;
    }
}

int main() {
    try {
        Guard guard;
        relay(throws, 7);
    } catch (int value) {
        std::printf("caught %d from below\n", value);
    }
    if (plain_catches(throws_from_above)) std::puts("caught plain from above");
    try {
        rethrows();
    } catch (const std::logic_error &) {
        std::puts("wrong handler");
    } catch (const std::exception &error) {
        std::printf("%s twice\n", error.what());
    }
    std::exception_ptr kept;
    try {
        throw "kept for later";
    } catch (...) {
        kept = std::current_exception();
    }
    try {
        std::rethrow_exception(kept);
    } catch (const char *text) {
        std::puts(text);
    }
    try {
        try {
            throw 'x';
        } catch (int) {
            std::puts("wrong handler");
        }
    } catch (char) {
        std::puts("not caught here, but there");
    }
    std::printf("destructors %d\n", destructors);
}
