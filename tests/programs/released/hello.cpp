#include <iostream>
#include <stdexcept>
static int twice(int n) { if (n > 1000) throw std::out_of_range("n"); return 2 * n; }
int main() {
    try {
        return twice(1001);
    } catch (const std::exception &) {
        std::cout << twice(21) << std::endl;
    }
}
