// Constants that LLVM's C API has no kind for: relative vtables refer to what is equivalent to a function in this image
// (dso_local_equivalent).
//# flags: -fexperimental-relative-c++-abi-vtables -fno-rtti
//# linkers: lld bfd
//# prints: virtual 5 6
//# stats: compiled >= 3
#include <cstdio>

struct Base {
    virtual int value();
    virtual int another() { return 1; }
};
int Base::value() { return 5; }
struct Derived : Base {
    int value() override { return 6; }
};
Base *volatile objects[2];

int main() {
    Base base;
    Derived derived;
    objects[0] = &base, objects[1] = &derived;
    std::printf("virtual %d %d\n", objects[0]->value(), objects[1]->value() * objects[1]->another());
}
