// Constructors, destructors and atexit functions of several units run once each, and in the plain program's order.
//# sources: order_second.cpp
//# prints: construct early (101)
//# prints: construct first
//# prints: construct second
//# prints: main
//# prints: construct local
//# prints: destroy first
#include <cstdio>
#include <cstdlib>

#include "tracer.hpp"

static Tracer first("first");
__attribute__((init_priority(101))) static Tracer early("early (101)");
static int computed = std::printf("initialiser of a number\n");

void second();
static void at_exit() { std::puts("atexit of main"); }
__attribute__((constructor)) static void constructor() { std::puts("constructor function"); }
__attribute__((destructor)) static void destructor() { std::puts("destructor function"); }

static Tracer &local() {
    static Tracer tracer("local");
    return tracer;
}

int main() {
    std::puts("main");
    std::atexit(at_exit);
    local();
    second();
    local();
    return computed == 24 ? 0 : 1;
}
