// Exceptions through several frames, C++ objects and inline functions.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

struct Shape {
  virtual ~Shape() {}
  virtual int area() const = 0;
};
struct Square : Shape {
  int side;
  explicit Square(int side) : side(side) {}
  int area() const override { return side * side; }
};

struct Guard {
  const char *name;
  ~Guard() { std::printf("leaving %s\n", name); }
};

__attribute__((noinline)) void throws(int depth) {
  Guard guard{depth ? "outer" : "inner"};
  if (!depth) throw std::runtime_error("thrown " + std::to_string(42));
  throws(depth - 1);
}

template <class T> T twice(T x) { return x + x; }

int main() {
  try {
    throws(1);
  } catch (const std::exception &error) {
    std::printf("caught %s\n", error.what());
  }
  std::vector<Shape *> shapes{new Square(3), new Square(4)};
  int area = 0;
  for (Shape *shape : shapes) {
    area += shape->area();
    delete shape;
  }
  std::printf("%d %s\n", area, twice(std::string("ab")).c_str());
}
