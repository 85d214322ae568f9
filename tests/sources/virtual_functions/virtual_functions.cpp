// Virtual functions: overriding, multiple and virtual inheritance, thunks, construction order, RTTI, member pointers.
//# prints: area 12 round 3
//# prints: left right both
//# prints: thunk both
//# prints: during construction: base, then derived
//# prints: cast 1 0 type 1
//# prints: member pointer 12
//# prints: pure 2
//# prints: deleted both right left
#include <cstdio>
#include <typeinfo>

struct Shape {
    virtual ~Shape() = default;
    virtual int area() const { return 0; }
    virtual int corners() const = 0;
};
int Shape::corners() const { return 1; }

struct Square : Shape {
    int side;
    explicit Square(int side) : side(side) {}
    int area() const override { return side * side; }
    int corners() const override { return Shape::corners() + 1; }
};
struct Round : Square {
    using Square::Square;
    int area() const override { return Square::area() * 3 / 4; }
};

struct Left {
    int l = 1;
    virtual ~Left() { std::puts("left"); }
    virtual const char *name() const { return "left"; }
};
struct Right {
    int r = 2;
    virtual ~Right() { std::printf("right "); }
    virtual const char *name() const { return "right"; }
};
struct Both : virtual Left, Right {
    ~Both() override { std::printf("deleted both "); }
    const char *name() const override { return "both"; }
};

struct Base {
    Base() { tell(); }
    virtual void tell() { std::printf("during construction: base"); }
};
struct Derived : Base {
    Derived() { tell(); }
    void tell() override { std::puts(", then derived"); }
};

int main() {
    Square square(2);
    Round round(4);
    const Shape *shape = &round;
    std::printf("area %d round %d\n", shape->area(), Round(2).area());
    Left left;
    Right right;
    Both *both = new Both;
    std::printf("%s %s %s\n", left.name(), right.name(), both->name());
    Right *thunk = both;
    std::printf("thunk %s\n", thunk->name());
    Derived derived;
    std::printf("cast %d %d type %d\n", dynamic_cast<const Square *>(shape) != nullptr,
                dynamic_cast<Both *>(&right) != nullptr, typeid(*shape) == typeid(Round));
    int (Shape::*pointer)() const = &Shape::area;
    std::printf("member pointer %d\n", (shape->*pointer)());
    std::printf("pure %d\n", square.corners());
    delete thunk;
}
