// What the libraries of opened_apart.cpp have in common.
#pragma once
#include <typeinfo>

inline int count() {
    static int calls = 0;
    return ++calls;
}
template <typename T> struct Thing {
    static inline int made = 0;
    Thing() { made++; }
    virtual ~Thing() = default;
    virtual int size() const { return static_cast<int>(sizeof(T)); }
};
inline int (*address())() { return count; }
struct Answer {
    int count, made;
    int (*address)();
    const std::type_info *type;
};
