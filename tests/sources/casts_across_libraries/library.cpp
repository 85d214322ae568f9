// The linked library of casts_across_libraries.cpp.
#include "shapes.hpp"

int Keyed::corners() const { return 5; }
Shape *make_square() { return new Square; }
Shape *make_box() { return new Box<long>; }
Shape *make_keyed() { return new Keyed; }
bool is_box(Shape *shape) { return dynamic_cast<Box<long> *>(shape) != nullptr; }
void fails(const char *what) { throw Failure(what); }
bool catches(void (*function)()) {
    try {
        function();
    } catch (const Failure &) {
        return true;
    }
    return false;
}
int (Shape::*corners_of_shape())() const { return &Shape::corners; }
int count_in_library() { return counted(); }
