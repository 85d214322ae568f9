// The second unit of constant_addresses_cxx.cpp.
#include "constants.hpp"

const int *second_member() { return &Constants::member; }
const int *second_number() { return &shared_number; }
const char *second_name() { return name_of_inline(); }
