// Allocates in all ways, from several threads, with an allocator that is linked in as the program's own.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <mimalloc.h>

int main() {
    // Debug builds warn where threads that map memory at the same time are given other addresses than those they ask for.
    mi_option_disable(mi_option_show_errors);
    std::map<std::string, std::vector<int>> map;
    for (int i = 0; i < 2000; i++) map["key " + std::to_string(i % 97)].push_back(i);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < 6; thread++)
        threads.emplace_back([thread] {
            std::vector<std::string> strings;
            for (std::size_t i = 0; i < 2000; i++) strings.emplace_back(i % 300, static_cast<char>('a' + thread));
        });
    for (auto &thread : threads) thread.join();
    void *block = std::realloc(std::malloc(1 << 22), 1 << 23);
    std::size_t usable = mi_is_in_heap_region(block) ? mi_usable_size(block) : 0;
    std::free(block);
    const char *caught = "nothing";
    try {
        throw std::runtime_error("all");
    } catch (const std::exception &) {
        caught = "all";
    }
    std::printf("%zu keys, %zu threads, %zu bytes, caught %s\n", map.size(), threads.size(), usable, caught);
}
