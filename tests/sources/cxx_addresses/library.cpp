// What is seen from another place (library) of cxx_addresses.cpp.
#include "functions.hpp"

// The body is here, not only in the inline function of the header.
Addresses addresses_in_library() {
    Addresses result = addresses();
    result.plain = {only_bodies_take, of_template<int>, Table<3>::at, Table<4>::pointer, +lambda, from_inline_lambda()};
    result.hidden = hidden;
    result.sum = called_everywhere(1) + hidden(1);
    return result;
}
Function from_library() { return only_library_takes; }
