// Virtual bases, thunks that adjust this and results, member pointers of every kind, slicing, dynamic types while
// objects are made and destroyed; with classes of a plain file and of a library.
//# plain: plain_classes.cpp
//# library: library_classes.cpp
//# linkers: lld
//# lazy: main _ZN7Diamond4nameEv _ZThn8_N7Diamond4nameEv
//# prints: diamond: diamond diamond diamond 1
//# prints: covariant 1 1
//# prints: plain calls ours: diamond 30
//# prints: library calls ours: derived 12
//# prints: members 1 2 3 diamond 40
//# prints: compare 1 1 0 1
//# prints: casts 1 1 1 0 1
//# prints: order A B C +D -D C B A
//# prints: cross 1
//# prints: variadic virtual 6
//# prints: empty destructors 3
//# prints: struct result 1 2 3 4
#include <cstdio>
#include <cstdarg>
#include <string>
#include <typeinfo>

#include "classes.hpp"

struct Diamond : Left, Right {
    const char *name() override { return "diamond"; }
    Diamond *clone() override { return new Diamond(*this); }
    int value() const override { return 40; }
};

struct Derived : OfLibrary {
    int compute(int x) const override { return OfLibrary::compute(x) + 1; }
    std::string label() const override { return "derived"; }
};

static std::string order;
struct A {
    A() { order += " A"; }
    virtual ~A() { order += " A"; }
};
struct B : virtual A {
    B() { order += " B"; }
    ~B() override { order += " B"; }
};
struct C : virtual A {
    C() { order += " C"; }
    ~C() override { order += " C"; }
};
struct D : B, C {
    D() { order += " +" + std::string(dynamic_cast<B *>(static_cast<A *>(this)) ? "D" : "?"); }
    ~D() override { order += " -" + std::string(typeid(*static_cast<A *>(this)) == typeid(D) ? "D" : "?"); }
};

struct Variadic {
    virtual ~Variadic() = default;
    virtual int add(int count, ...) {
        va_list list;
        va_start(list, count);
        int sum = 0;
        while (count--) sum += va_arg(list, int);
        va_end(list);
        return sum;
    }
    struct Big {
        long a, b, c, d;
    };
    virtual Big big(long from) const { return {from, from + 1, from + 2, from + 3}; }
};

// With optimisation, a destructor that does what another one does is an alias of it, or an alias of an alias.
static int empty = 0;
struct Empty {
    virtual ~Empty();
};
struct EmptyToo : Empty {
    ~EmptyToo() override;
};
struct EmptyAgain final : EmptyToo {
    ~EmptyAgain() override;
};
Empty::~Empty() { empty++; }
EmptyToo::~EmptyToo() {}
EmptyAgain::~EmptyAgain() {}

int main() {
    Diamond diamond;
    Left &left = diamond;
    Right &right = diamond;
    Root &root = left;
    std::printf("diamond: %s %s %s %d\n", left.name(), right.name(), root.name(), &static_cast<Root &>(left) == &static_cast<Root &>(right));
    Root *clone = root.clone();
    Right *right_clone = right.clone();
    std::printf("covariant %d %d\n", dynamic_cast<Diamond *>(clone) != nullptr, typeid(*right_clone) == typeid(Diamond));
    std::printf("plain calls ours: %s %d\n", plain_name(right), plain_value(&root, &Root::value) - 10);
    Derived derived;
    std::printf("library calls ours: %s\n", library_describe(derived).c_str());
    int Diamond::*data = &Diamond::left_data;
    int (Left::*method)() const = &Left::own;
    const char *(Root::*virtually)() = &Root::name;
    int (Diamond::*inherited)() const = &Diamond::value;
    std::printf("members %d %d %d %s %d\n", diamond.*data, (diamond.*method)(), diamond.*(&Diamond::right_data),
                (root.*virtually)(), (diamond.*inherited)());
    int (Left::*none)() const = nullptr;
    std::printf("compare %d %d %d %d\n", method == &Left::own, virtually == &Root::name, method == none, plain_pointer() == &Root::value);
    OfLibrary *library = library_make();
    std::printf("casts %d %d %d %d %d\n", dynamic_cast<Right *>(&left) == &right, dynamic_cast<void *>(&right) == &diamond,
                dynamic_cast<OfLibrary *>(library) != nullptr, dynamic_cast<Derived *>(library) != nullptr,
                typeid(diamond).before(typeid(Root)) != typeid(Root).before(typeid(diamond)));
    delete new D;
    std::printf("order%s\n", order.c_str());
    std::printf("cross %d\n", dynamic_cast<Left *>(right_clone) != nullptr);
    Variadic variadic;
    Variadic *pointer = &variadic;
    std::printf("variadic virtual %d\n", pointer->add(3, 1, 2, 3));
    auto big = pointer->big(1);
    std::printf("struct result %ld %ld %ld %ld\n", big.a, big.b, big.c, big.d);
    {
        EmptyAgain again;
        EmptyToo too;
        delete static_cast<Empty *>(new EmptyAgain);
    }
    std::printf("empty destructors %d\n", empty);
    delete clone;
    delete right_clone;
    delete library;
}
