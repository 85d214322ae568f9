// An inline function in several units is one function: one address, one static local.
//# sources: second_unit.cpp
//# library: third_unit.cpp
//# mix
//# prints: counter 1 2 3 4
//# prints: address 1 1
//# prints: template 5 5 5
//# prints: member 1 7
//# prints: variable 42
#include <cstdio>

#include "shared.hpp"

int counter_of_second();
int counter_of_third();
Function address_of_second();
Function address_of_third();
int *instance_of_second();
int *instance_of_third();
int (Class::*member_of_second())() const;

int main() {
    std::printf("counter %d", counter());
    std::printf(" %d", counter_of_second());
    std::printf(" %d", counter_of_third());
    std::printf(" %d\n", counter());
    std::printf("address %d %d\n", address_of_second() == counter, address_of_third() == counter);
    instance<int>() = 5;
    std::printf("template %d %d %d\n", instance<int>(), *instance_of_second(), *instance_of_third());
    auto member = member_of_second();
    std::printf("member %d %d\n", member == &Class::member, (Class().*member)());
    std::printf("variable %d\n", shared_variable);
}
