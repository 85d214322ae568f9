// Vtables, type information, names of functions and constexpr variables have one address: LLVM compares vtables when it
// casts to a final class, and programs compare the others.
//# sources: constant_second.cpp
//# linkers: lld bfd
//# prints: final 7 -1
//# prints: types 1 0
//# prints: member 1 1
//# prints: inline variable 1 1
//# prints: name 1 1
//# prints: list 1 6
//# prints: static 1
//# stats: compiled >= 8
#include <cstdio>
#include <initializer_list>
#include <typeinfo>

#include "constants.hpp"

struct Base {
    virtual ~Base() {}
    virtual int value() { return 1; }
};
namespace {
struct Derived final : Base {
    int x = 7;
    int value() override { return x; }
};
struct Other final : Base {};
} // namespace

#define APART __attribute__((noinline)) static
APART Base *make() { return new Derived; }
APART Base *make_other() { return new Other; }
APART int use(Base *base) {
    auto *derived = dynamic_cast<Derived *>(base);
    return derived ? derived->value() : -1;
}
APART const std::type_info *type(Base *base) { return &typeid(*base); }
APART const int *member() { return &Constants::member; }
APART const int *variable() { return &shared_number; }
APART const char *name() { return name_of_inline(); }
APART const int *first(std::initializer_list<int> list) { return list.begin(); }
APART const char *literal() {
    static constexpr const char *text = "constexpr";
    return text;
}
Base *(*volatile makes[])() = {make, make_other};
int (*volatile uses)(Base *) = use;
const std::type_info *(*volatile types)(Base *) = type;
const int *(*volatile numbers[])() = {member, variable};
const char *(*volatile texts[])() = {name, literal};
const int *(*volatile lists)(std::initializer_list<int>) = first;

int main() {
    Base *derived = makes[0](), *other = makes[1]();
    std::printf("final %d %d\n", uses(derived), uses(other));
    std::printf("types %d %d\n", types(derived) == &typeid(Derived), types(derived) == types(other));
    std::printf("member %d %d\n", numbers[0]() == &Constants::member, numbers[0]() == second_member());
    std::printf("inline variable %d %d\n", numbers[1]() == &shared_number, numbers[1]() == second_number());
    std::printf("name %d %d\n", texts[0]() == name_of_inline(), texts[0]() == second_name());
    static const std::initializer_list<int> list = {1, 2, 3};
    std::printf("list %d %d\n", lists(list) == list.begin(), list.begin()[0] + list.begin()[1] + list.begin()[2]);
    std::printf("static %d\n", texts[1]() == texts[1]());
    delete derived;
    delete other;
}
