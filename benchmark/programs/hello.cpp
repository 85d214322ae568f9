// The smallest program in C++ that does what most do: a stream, a string, a container.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

int main() {
    std::vector<std::string> words = {"world", "hello"};
    std::sort(words.begin(), words.end());
    std::cout << words[0] << ", " << words[1] << "\n";
}
