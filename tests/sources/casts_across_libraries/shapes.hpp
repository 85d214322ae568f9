// What casts_across_libraries.cpp and its libraries share.
#pragma once
#include <stdexcept>

struct Shape {
    virtual ~Shape() = default;
    virtual int corners() const { return 0; }
    // No key function: each image has the table.
};
struct Named {
    virtual ~Named() = default;
    virtual const char *name() const = 0;
};
struct Square : Shape, virtual Named {
    int corners() const override { return 4; }
    const char *name() const override { return "square"; }
};
template <typename T> struct Box : Shape {
    T value{};
    int corners() const override { return static_cast<int>(sizeof(T)); }
};
struct Failure : std::runtime_error {
    using runtime_error::runtime_error;
};
// Made in the library, with its key function there.
struct Keyed : Shape {
    int corners() const override;
};
inline int counted() {
    static int count = 0;
    return ++count;
}
