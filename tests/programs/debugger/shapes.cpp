// What gdb shows of this is compared between a plain and a lazy build.
#include <cstdio>
#include <stdexcept>
#include <vector>
namespace shop {
enum class Kind { Fruit, Tool };
struct Item {
  const char *name;
  Kind kind;
  int price;
};
int sold = 0;
} // namespace shop
struct Shape {
  virtual ~Shape() = default;
  virtual int area(int scale) const = 0;
};
struct Square : Shape {
  int side;
  explicit Square(int side) : side(side) {}
  int area(int scale) const override {
    return side * side * scale;
  }
};
template <typename T> T largest(const std::vector<T> &values) {
  T best = values.at(0);
  for (const T &value : values)
    if (value > best)
      best = value;
  return best;
}
static int sell(const shop::Item &item, int count) {
  if (count > 10)
    throw std::runtime_error("sold out");
  shop::sold += count;
  return item.price * count;
}
int main() {
  shop::Item apple{"apple", shop::Kind::Fruit, 3};
  std::vector<int> numbers{3, 9, 4};
  Square square(4);
  const Shape &shape = square;
  int area = shape.area(2);
  int most = largest(numbers);
  int paid = sell(apple, 2);
  try {
    paid += sell(apple, 20);
  } catch (const std::runtime_error &error) {
    std::puts(error.what());
  }
  std::printf("%d %d %d\n", area, most, paid);
}
