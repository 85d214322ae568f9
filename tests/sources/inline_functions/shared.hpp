// What both units of inline_functions.cpp include.
#pragma once

inline int counter() {
    static int count = 0;
    return ++count;
}

template <typename T> T &instance() {
    static T value{};
    return value;
}

struct Class {
    int member() const { return 7; }
    static int statically() { return 8; }
};

inline int shared_variable = 40;
using Function = int (*)();
