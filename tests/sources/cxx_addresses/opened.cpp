// The library that cxx_addresses.cpp opens.
#include "functions.hpp"

extern "C" Addresses *addresses_in_plugin() {
    auto *result = new Addresses(addresses());
    result->plain[0] = only_bodies_take;
    result->hidden = hidden;
    return result;
}
