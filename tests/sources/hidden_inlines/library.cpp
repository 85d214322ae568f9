// The library of hidden_inlines.cpp.
#include "shared.hpp"

__attribute__((visibility("default"))) int in_library() {
    Registry<int>::count() += 10;
    return next() * 100 + Registry<int>::count() + Shown::bump() * 1000;
}
__attribute__((visibility("default"))) int (*address_in_library())() { return next; }
__attribute__((visibility("default"))) int *variable_in_library() { return &Registry<char>::count(); }
