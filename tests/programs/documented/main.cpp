#include "all.h"
int main() {
  std::vector<std::string> words = {"a", "b"};
  return words.size() == 2 ? 0 : 1;
}
