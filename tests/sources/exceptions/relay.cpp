// The frames of exceptions.cpp that stay plain.
#include <stdexcept>

void relay(void (*function)(int), int value) {
    struct Silent {
        int *where;
        ~Silent() { *where = 0; }
    };
    int local = value;
    Silent silent{&local};
    function(local);
}

bool plain_catches(void (*function)()) {
    try {
        function();
    } catch (const std::runtime_error &) {
        return true;
    }
    return false;
}

[[noreturn]] void plain_throws(const char *what) { throw std::runtime_error(what); }
