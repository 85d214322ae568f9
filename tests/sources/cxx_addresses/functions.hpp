// Functions whose addresses cxx_addresses.cpp and its units compare.
#pragma once
#include <vector>

inline int called_everywhere(int x) { return x + 1; }
inline int only_bodies_take(int x) { return x + 2; }
inline int only_library_takes(int x) { return x + 3; }
template <typename T> T of_template(T x) { return x + 4; }
template <int N> struct Table {
    static int at(int x) { return x + N; }
    int member(int x) const { return x * N; }
    virtual int virtually(int x) const { return x - N; }
    virtual ~Table() = default;
    static inline int (*const pointer)(int) = at;
};
inline auto lambda = [](int x) { return x + 5; };
inline int (*from_inline_lambda())(int) { return [](int x) { return x + 6; }; }
__attribute__((visibility("hidden"))) inline int hidden(int x) { return x + 7; }
struct Operators {
    int value = 1;
    Operators operator+(const Operators &other) const { return {value + other.value}; }
    friend bool operator==(const Operators &a, const Operators &b) { return a.value == b.value; }
};

using Function = int (*)(int);
struct Addresses {
    std::vector<Function> plain;
    int (Table<2>::*member)(int) const;
    int (Table<2>::*virtually)(int) const;
    Operators (Operators::*plus)(const Operators &) const;
    Function hidden;
    int sum;
};
inline Addresses addresses() {
    return {{only_bodies_take, of_template<int>, Table<3>::at, Table<4>::pointer, +lambda, from_inline_lambda()},
            &Table<2>::member,
            &Table<2>::virtually,
            &Operators::operator+,
            hidden,
            called_everywhere(1) + hidden(1)};
}
Addresses addresses_in_unit();
Addresses addresses_in_library();
Function from_library();
