// The library of templates_and_instantiations.cpp.
#include "shared.hpp"

template struct Stack<std::string>;
int use_in_library() {
    Stack<std::string>::shared().push("library");
    Stack<long>::shared().push(4);
    return Stack<std::string>::made * 10 + Stack<long>::made;
}
