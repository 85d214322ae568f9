// What the units of static_destruction.cpp share.
#pragma once
#include <cstdio>

struct Tell {
    const char *name;
    explicit Tell(const char *name) : name(name) { std::printf("+%s\n", name); }
    Tell(const Tell &) = delete;
    ~Tell() { std::printf("-%s\n", name); }
};
inline Tell inline_variable("inline variable");
template <typename T> struct Holder {
    static Tell held;
};
template <typename T> Tell Holder<T>::held("member of a template");
template <typename T> inline Tell variable_template("variable template");
inline Tell &local_of_inline() {
    static Tell tell("static local of an inline function");
    return tell;
}
