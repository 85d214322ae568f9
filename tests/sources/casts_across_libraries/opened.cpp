// The library that casts_across_libraries.cpp opens.
#include "shapes.hpp"

extern "C" Shape *make_in_plugin() { return new Square; }
extern "C" void fail_in_plugin() { throw Failure("in the plugin"); }
extern "C" const char *name_in_plugin(Shape *shape) {
    auto *named = dynamic_cast<Named *>(shape);
    return named ? named->name() : "none";
}
extern "C" int count_in_plugin() { return counted(); }
