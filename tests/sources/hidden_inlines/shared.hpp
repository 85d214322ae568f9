// Inline functions and their static locals, hidden or not.
#pragma once
template <typename T> struct Registry {
    static int &count() {
        static int value = 0;
        return value;
    }
};
inline int next() {
    static int value = 0;
    return ++value;
}
struct __attribute__((visibility("default"))) Shown {
    static inline int variable = 0;
    static int bump() { return ++variable; }
};
