// The classes of inheritance.cpp that a plain file and a library know, too.
#pragma once
#include <string>

struct Root {
    virtual ~Root() = default;
    virtual const char *name() { return "root"; }
    virtual Root *clone() { return new Root(*this); }
    virtual int value() const { return 10; }
};
struct Left : virtual Root {
    int left_data = 1;
    const char *name() override { return "left"; }
    Left *clone() override { return new Left(*this); }
    int own() const { return 2; }
};
struct Right : virtual Root {
    int right_data = 3;
    Right *clone() override { return new Right(*this); }
};
struct OfLibrary {
    virtual ~OfLibrary();
    virtual int compute(int x) const;
    virtual std::string label() const { return "library"; }
};
const char *plain_name(Right &right);
int plain_value(Root *root, int (Root::*member)() const);
int (Root::*plain_pointer())() const;
std::string library_describe(const OfLibrary &object);
OfLibrary *library_make();
