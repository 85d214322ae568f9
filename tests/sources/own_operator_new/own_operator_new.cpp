// A program that replaces operator new and delete: they stay static, and count the program's own allocations only.
//# prints: made 3 deleted 3
//# static: _Znwm _ZdlPv
//# tiers: an optimiser that sees a new and its delete, but not the body of either, may leave both out
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

static int made, deleted;

void *operator new(std::size_t size) {
    made++;
    return std::malloc(size);
}
void operator delete(void *block) noexcept {
    deleted += block != nullptr;
    std::free(block);
}
void operator delete(void *block, std::size_t) noexcept { operator delete(block); }

static int use() {
    std::vector<int> numbers(100, 1);
    auto one = std::make_unique<int>(1);
    auto shared = std::make_shared<double>(2.0);
    return numbers[50] + *one + static_cast<int>(*shared);
}

int main() {
    int result = use();
    std::printf("made %d deleted %d\n", made, deleted);
    return result == 4 ? 0 : 1;
}
