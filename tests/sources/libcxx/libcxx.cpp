// LLVM's C++ library, with GCC's unwinder, and what it has of C++23. (The same optimised, with GCC's library, is in
// standard_library.)
//# levels: o0_g
//# flags: -std=c++23 -stdlib=libc++
//# linkers: lld
//# link: -pthread -stdlib=libc++
//# lazy: main _ZN5parts7localesEv _ZN5parts7threadsEv _Z12twenty_threev
//# stats: functions >= 500
//# stats: compiled >= 100
//# prints: files error "none" 2
//# prints: threads 5050 42 7 kept 1 1
//# prints: printed 42 0x2a x "y"
//# prints: expected 4, nothing
//# prints: generated 0:a 1:b
//# prints: deduced 6
#include "../standard_library/parts.hpp"

#include <expected>
#include <format>
#include <print>

struct Deduces {
    int value = 6;
    template <typename Self> auto &&get(this Self &&self) { return std::forward<Self>(self).value; }
};
static std::expected<int, std::string> half(int x) {
    if (x % 2) return std::unexpected("nothing");
    return x / 2;
}

void twenty_three() {
    std::println("printed {} {:#x} {} {:?}", 42, 42, "x", "y");
    std::println("expected {}, {}", half(8).value(), half(7).error());
    std::print("generated");
    for (auto [index, letter] : std::views::zip(std::views::iota(0), std::string("ab"))) std::print(" {}:{}", index, letter);
    std::println("");
    std::println("deduced {}", Deduces().get());
}

int main() {
    std::cout << std::unitbuf;
    parts::all();
    std::cout << std::flush;
    twenty_three();
}
