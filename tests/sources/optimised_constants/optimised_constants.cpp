// Constants with and without initialisers that optimised code may know, functions of which it may know that they return new
// memory, do not throw, do not return, or have no effects, and definitions that each file has.
//# sources: constants_elsewhere.cpp
//# flags: -std=c++20
//# levels: standard o1 o3_g o2_pic
//# linkers: lld
//# prints: tables 32 13
//# prints: elsewhere 13
//# prints: templates 48
//# prints: casts 12
//# prints: once 1
//# prints: results 2 1
//# prints: attributes 22
//# prints: exceptions 2 1 2
//# lazy: main _Z6tablesv
//# stats: compiled >= 10
#include <cstdio>

#define APART __attribute__((noinline))
extern const int late;
extern int *const pointer;
template <class T> struct Sizes {
    static const int constant;
    static int variable;
};
template <class T> const int Sizes<T>::constant = sizeof(T);
template <class T> int Sizes<T>::variable = sizeof(T);
inline constexpr int table[] = {1, 2, 3};
const int large[70000] = {1, 2, 3};
static const int &reference = table[2];
constinit int changing = 4;
const volatile int never_known = 5;

struct Base {
    virtual int value() { return 1; }
    virtual ~Base() {}
};
struct Final final : Base {
    int value() override { return 2; }
};
namespace {
struct Local : Base {
    int value() override { return 3; }
};
} // namespace

APART int tables() { return large[2] * 10 + table[1]; }
APART int by_reference() { return reference + 5 + never_known; }
APART int elsewhere() { return late + *pointer; }
APART int templates() { return Sizes<int>::constant * 10 + Sizes<long>::variable; }
APART int casts(Base *base) { return (dynamic_cast<Final *>(base) ? 1 : 0) + (dynamic_cast<Local *>(base) ? 2 : 0); }
struct Counted {
    static int made;
    Counted() { made++; }
};
int Counted::made = 0;
APART Counted &only() {
    static Counted it;
    return it;
}
APART int *not_new() {
    static int it;
    return &it;
}
APART int *is_new() { return new int[1]; }
APART int same_result() {
    int *first = not_new(), *second = not_new();
    *first = 1;
    *second = 2;
    return *first;
}
APART int new_results() {
    int *first = is_new(), *second = is_new();
    *first = 1;
    *second = 2;
    int result = *first + (first == second);
    delete[] first;
    delete[] second;
    return result;
}
[[gnu::const]] APART int square(int x) { return x * x; }
[[gnu::pure]] APART int changed() { return changing; }
APART int attributes() {
    int sum = changed();
    changing = 9;
    return sum + changed() + square(3);
}
[[noreturn]] APART void throws(int x) { throw x; }
APART void may_throw(int x) {
    if (x > 100) throw x;
}
APART int caught(int x) {
    try {
        throws(x);
    } catch (int y) {
        return y + 1;
    }
}
APART int thrown_through(int x) {
    try {
        may_throw(x);
    } catch (...) {
        return 2;
    }
    return 1;
}

int main(int argc, char **) {
    std::printf("tables %d %d\n", tables(), by_reference());
    std::printf("elsewhere %d\n", elsewhere());
    std::printf("templates %d\n", templates());
    Final final;
    Local local;
    std::printf("casts %d\n", casts(&final) * 10 + casts(&local));
    only(), only();
    std::printf("once %d\n", Counted::made);
    int same = same_result();
    std::printf("results %d %d\n", same, new_results());
    std::printf("attributes %d\n", attributes());
    int first = caught(argc), second = thrown_through(argc);
    std::printf("exceptions %d %d %d\n", first, second, thrown_through(argc + 100));
}
