// The second unit of templates_and_instantiations.cpp: holds what the others declare.
#include "shared.hpp"

template struct Stack<int>;
template <> int doubled(int x) { return x * 2 + 100; }
int use_in_unit() {
    Stack<int>::shared().push(2);
    Stack<long>::shared().push(3);
    return Stack<int>::made * 10 + Stack<long>::made;
}
