// Prints when an object begins and ends.
#pragma once
#include <cstdio>

struct Tracer {
    const char *name;
    explicit Tracer(const char *name) : name(name) { std::printf("construct %s\n", name); }
    ~Tracer() { std::printf("destroy %s\n", name); }
    void touch() const { std::printf("touch %s\n", name); }
};
