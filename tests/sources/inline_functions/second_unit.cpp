// The second unit of inline_functions.cpp.
#include "shared.hpp"

int counter_of_second() {
    shared_variable++;
    return counter();
}
Function address_of_second() { return counter; }
int *instance_of_second() { return &instance<int>(); }
int (Class::*member_of_second())() const { return &Class::member; }
