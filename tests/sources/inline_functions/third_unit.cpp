// The library of inline_functions.cpp.
#include "shared.hpp"

int counter_of_third() {
    shared_variable++;
    return counter();
}
Function address_of_third() { return counter; }
int *instance_of_third() { return &instance<int>(); }
