// What stays plain of inheritance.cpp.
#include "classes.hpp"

const char *plain_name(Right &right) { return right.name(); }
int plain_value(Root *root, int (Root::*member)() const) { return (root->*member)(); }
int (Root::*plain_pointer())() const { return &Root::value; }
