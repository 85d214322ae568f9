// Exceptions: thrown, caught by type, passed through, rethrown; cleanups; loops with values that live across.
#include <stdexcept>
#include <string>
#include <vector>
#include <map>
#include <memory>
#include <algorithm>
#include <functional>
#include <cstdint>
extern "C" {
#include "check.h"
}

#define NEVER __attribute__((noinline)) static

struct Base { virtual ~Base() {} virtual int kind() const { return 1; } };
struct Derived : Base { int kind() const override { return 2; } };
struct Counted {
    static int alive;
    int number;
    explicit Counted(int n) : number(n) { alive++; }
    Counted(const Counted &other) : number(other.number) { alive++; }
    ~Counted() { alive--; put(number); }
};
int Counted::alive;

NEVER void thrower(int kind) {
    Counted local(kind + 100);
    switch (kind) {
    case 0: return;
    case 1: throw 17;
    case 2: throw std::runtime_error("a message");
    case 3: throw Derived();
    case 4: throw "text";
    case 5: throw std::string("string");
    default: throw 2.5;
    }
}

NEVER int catcher(int kind) {
    Counted outer(1);
    try {
        Counted inner(2);
        thrower(kind);
        return 0;
    } catch (int value) {
        return value;
    } catch (const std::exception &error) {
        return (int)std::string(error.what()).size();
    } catch (const Base &base) {
        return base.kind();
    } catch (const char *text) {
        return text[0];
    }
}

NEVER int nested(int kind) {
    try {
        try {
            return catcher(kind);
        } catch (const std::string &text) {
            if (kind == 5) throw;
            return 1;
        }
    } catch (...) {
        try {
            throw;
        } catch (const std::string &text) {
            return (int)text.size() + 1000;
        } catch (double value) {
            return (int)(value * 2);
        }
    }
}

NEVER uint64_t loop(int n) {
    uint64_t sum = 0, product = 1;
    double weight = 0.5;
    for (int i = 0; i < n; i++) {
        try {
            if (i % 3 == 0) thrower(i % 2 + 1);
            sum += i;
        } catch (int value) {
            sum += value * 1000;
            weight *= 2;
            continue;
        } catch (...) {
            product = product * 3 + sum;
        }
        weight += i;
    }
    return sum + product + (uint64_t)weight;
}

NEVER int many_arguments(int a, int b, int c, int d, int e, int f, int g, int h, int i) {
    if (a > 3) throw a + b + c + d + e + f + g + h + i;
    return a - i;
}

NEVER int on_the_stack(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) {
        try {
            sum += many_arguments(i, 2, 3, 4, 5, 6, 7, 8, 9);
        } catch (int value) {
            sum += value;
        }
    }
    return sum;
}

NEVER void standard() {
    std::vector<int> values;
    for (int i = 0; i < 50; i++) values.push_back((i * 37) % 50);
    std::sort(values.begin(), values.end());
    put(values[7] * 100 + values[49]);
    std::map<std::string, int> names;
    for (int i = 0; i < 20; i++) names["name" + std::to_string(i)] = i * i;
    for (auto &[name, value] : names) put(name.size() * 1000 + value);
    try {
        values.at(100) = 3;
    } catch (const std::out_of_range &) {
        put(4711);
    }
    auto shared = std::make_shared<Counted>(77);
    std::function<int(int)> add = [shared](int x) { return x + shared->number; };
    put(add(3));
    std::unique_ptr<Base> base(new Derived);
    put(base->kind() + (dynamic_cast<Derived *>(base.get()) != nullptr));
}

static void check(void) {
    for (int kind = 0; kind < 7; kind++) put(nested(kind));
    put(loop(20));
    put(on_the_stack(8));
    standard();
    put(Counted::alive);
}
