// Thread-local variables that thread_local_everywhere.cpp and its units share.
#pragma once
#include <atomic>
#include <cstdio>

inline std::atomic<int> made{0}, destroyed{0};

struct Object {
    int value;
    explicit Object(int value) : value(value) { made++; }
    ~Object() { destroyed++; }
};

inline thread_local Object of_inline(1);
template <typename T> inline thread_local Object of_template(static_cast<int>(sizeof(T)));
template <typename T> struct Class {
    static thread_local int constant;
    static thread_local Object member;
};
template <typename T> thread_local int Class<T>::constant = 40;
template <typename T> thread_local Object Class<T>::member(constant + 1);

extern thread_local Object of_other;   // dynamic initialisation in the other unit
extern thread_local int constant_of_other;
extern thread_local Object of_library;
extern thread_local int constant_of_library;

inline int local_in_inline() {
    thread_local Object local(3);
    return local.value++;
}
int touch_in_other();
int touch_in_library();
