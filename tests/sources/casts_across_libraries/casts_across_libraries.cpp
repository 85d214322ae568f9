// Types are the same in all images: casts, type_info and handlers work across linked and opened libraries.
//# library: library.cpp
//# plugin: opened.cpp
//# linkers: bfd
//# link: -ldl -rdynamic
//# lazy: _Z6throwsv
//# prints: corners 4 8 5
//# prints: casts square 1 0 box 1 1 named square
//# prints: types 1 1 0
//# prints: caught from the library: below
//# prints: library caught ours 1
//# prints: member pointer 1 0
//# prints: plugin: 4 square, square, none
//# prints: plugin threw: in the plugin
//# prints: counted 1 2 3
#include <cstdio>
#include <dlfcn.h>
#include <typeinfo>

#include "shapes.hpp"

Shape *make_square();
Shape *make_box();
Shape *make_keyed();
bool is_box(Shape *shape);
void fails(const char *what);
bool catches(void (*function)());
int (Shape::*corners_of_shape())() const;
int count_in_library();

void throws() { throw Failure("above"); }

int main() {
    Shape *square = make_square(), *box = make_box(), *keyed = make_keyed();
    std::printf("corners %d %d %d\n", square->corners(), box->corners(), keyed->corners());
    Box<long> ours;
    std::printf("casts square %d %d box %d %d named %s\n", dynamic_cast<Square *>(square) != nullptr,
                dynamic_cast<Square *>(box) != nullptr, dynamic_cast<Box<long> *>(box) != nullptr, is_box(&ours),
                dynamic_cast<Named &>(*square).name());
    std::printf("types %d %d %d\n", typeid(*square) == typeid(Square), typeid(*box) == typeid(ours),
                typeid(*keyed) == typeid(Shape));
    try {
        fails("below");
    } catch (const Failure &failure) {
        std::printf("caught from the library: %s\n", failure.what());
    }
    std::printf("library caught ours %d\n", catches(throws));
    auto member = corners_of_shape();
    Shape plain;
    std::printf("member pointer %d %d\n", member == &Shape::corners, (plain.*member)());
    void *handle = dlopen("./opened.so", RTLD_NOW);
    if (!handle) handle = dlopen("./libopened.so", RTLD_NOW);
    if (!handle) return std::puts(dlerror()), 1;
    auto made = reinterpret_cast<Shape *(*)()>(dlsym(handle, "make_in_plugin"))();
    auto named = reinterpret_cast<const char *(*)(Shape *)>(dlsym(handle, "name_in_plugin"));
    auto *cast = dynamic_cast<Square *>(made);
    std::printf("plugin: %d %s, %s, %s\n", made->corners(), cast ? cast->name() : "lost", named(square), named(box));
    try {
        reinterpret_cast<void (*)()>(dlsym(handle, "fail_in_plugin"))();
    } catch (const Failure &failure) {
        std::printf("plugin threw: %s\n", failure.what());
    }
    int own = counted(), library = count_in_library();
    std::printf("counted %d %d %d\n", own, library, reinterpret_cast<int (*)()>(dlsym(handle, "count_in_plugin"))());
    delete square;
    delete box;
    delete keyed;
    delete made;
}
