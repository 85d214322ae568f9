// A program without exceptions and type information, whose frames an exception of a plain file cannot pass.
//# flags: -fno-exceptions -fno-rtti -fno-asynchronous-unwind-tables
//# linkers: mold
//# lazy: main _Z4worki
//# prints: visited 3 and 4
//# prints: sorted 1 2 3
//# prints: static 9
//# exit: signal 6
#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

struct Visitor;
struct Node {
    virtual ~Node() = default;
    virtual int accept(Visitor &visitor) const = 0;
};
struct Visitor {
    virtual ~Visitor() = default;
    virtual int visit(const Node &) { return 3; }
};
struct Leaf final : Node {
    int accept(Visitor &visitor) const override { return visitor.visit(*this) + 1; }
};

static int square(int x) { return x * x; }

int work(int x) {
    static const int kept = square(x);
    std::unique_ptr<Node> node = std::make_unique<Leaf>();
    Visitor visitor;
    std::printf("visited %d and %d\n", visitor.visit(*node), node->accept(visitor));
    std::vector<int> numbers{3, 1, 2};
    std::sort(numbers.begin(), numbers.end());
    std::printf("sorted %d %d %d\n", numbers[0], numbers[1], numbers[2]);
    return kept;
}

int main() {
    std::printf("static %d\n", work(3));
    std::fflush(stdout);
    std::vector<int> numbers(1);
    return numbers.at(2);
}
