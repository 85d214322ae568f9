// Lambdas, function objects, overload sets, templates: functions that nothing outside their unit can name.
//# prints: captured 15
//# prints: generic 3 ab
//# prints: composed 25
//# prints: recursive 120
//# prints: variadic 10 4
//# prints: plain pointer 8
//# stats: functions >= 10
#include <cstdio>
#include <functional>
#include <string>

template <typename F, typename G> auto compose(F f, G g) {
    return [=](auto x) { return g(f(x)); };
}

template <typename... Ts> constexpr auto add(Ts... values) { return (values + ... + 0); }
template <typename... Ts> constexpr int count(Ts...) { return sizeof...(Ts); }

template <int N> struct Factorial {
    static int value() { return N * Factorial<N - 1>::value(); }
};
template <> struct Factorial<0> {
    static int value() { return 1; }
};

int main() {
    int base = 10;
    auto captured = [&base](int x) mutable { return base += x; };
    std::printf("captured %d\n", captured(5));
    auto generic = [](auto a, auto b) { return a + b; };
    std::printf("generic %d %s\n", generic(1, 2), generic(std::string("a"), std::string("b")).c_str());
    std::function<int(int)> composed = compose([](int x) { return x + 1; }, [](int x) { return x * x; });
    std::printf("composed %d\n", composed(4));
    std::printf("recursive %d\n", Factorial<5>::value());
    std::printf("variadic %d %d\n", add(1, 2, 3, 4), count(1, 'x', 2.0, "y"));
    int (*pointer)(int) = [](int x) { return x * 2; };
    std::printf("plain pointer %d\n", pointer(4));
}
