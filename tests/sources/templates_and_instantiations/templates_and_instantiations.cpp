// Templates in many units and a library: one instantiation with one set of statics; explicit instantiation, explicit
// specialisation, extern templates, concepts, packs.
//# flags: -std=c++20
//# sources: unit.cpp
//# library: library.cpp
//# linkers: bfd
//# mix
//# lazy: main _ZN5StackIiE4pushERKi _ZN5StackIiE3popEv _Z7doubledIiET_S0_
//# prints: pushed 1 1 2
//# prints: made 11 11
//# prints: counts 2 2 3
//# prints: popped 2 1 library 4
//# prints: specialised 110 aa 1.0
//# prints: kinds number other 10 0
#include "shared.hpp"

int main() {
    int first = through(Stack<int>::shared(), 1);
    int second = through(Stack<long>::shared(), 1L);
    Stack<std::string>::shared().push("main");
    int unit = use_in_unit();
    std::printf("pushed %d %d %d\n", first, second, Stack<int>::shared().count);
    std::printf("made %d %d\n", unit, use_in_library());
    std::printf("counts %d %d %d\n", Stack<int>::shared().count, Stack<std::string>::shared().count,
                Stack<long>::shared().count);
    int a = Stack<int>::shared().pop(), b = Stack<int>::shared().pop();
    std::printf("popped %d %d %s %ld\n", a, b, Stack<std::string>::shared().pop().c_str(), Stack<long>::shared().pop());
    std::printf("specialised %d %s %.1f\n", doubled(5), doubled(std::string("a")).c_str(), doubled(0.5));
    struct Other {};
    std::printf("kinds %s %s %d %d\n", kind(1), kind(Other()), sum(1, 2, 3, 4), sum());
}
