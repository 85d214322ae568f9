// The library of inheritance.cpp, with the key function.
#include "classes.hpp"

OfLibrary::~OfLibrary() = default;
int OfLibrary::compute(int x) const { return x + 1; }
std::string library_describe(const OfLibrary &object) { return object.label() + " " + std::to_string(object.compute(10)); }
OfLibrary *library_make() { return new OfLibrary; }
