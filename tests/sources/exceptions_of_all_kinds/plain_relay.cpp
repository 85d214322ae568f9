// The frames of exceptions_of_all_kinds.cpp that stay plain.
#include <functional>

void relay(const std::function<void()> &inner) {
    try {
        inner();
    } catch (const char *) {
        // Not what is thrown.
    }
}
