// The second unit of hidden_inlines.cpp.
#include "shared.hpp"

int in_unit() {
    Registry<int>::count() += 10;
    return next() * 100 + Registry<int>::count() + Shown::bump() * 1000 + 11;
}
int (*address_in_unit())() { return next; }
int *variable_in_unit() { return &Registry<char>::count(); }
