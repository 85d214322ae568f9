// A program whose malloc and operator new are made of lazy functions of other files, which are first called while the
// allocator holds its own lock: compiling must not allocate with it. The program counts what it allocates itself.
//# sources: arena.cpp
//# linkers: lld
//# link: -pthread
//# static: malloc free _Znwm
//# lazy: _ZN5Arena4takeEm _ZN5Arena4giveEPv main
//# repeat: 3
//# prints: strings 100 ab ab
//# prints: allocated 4 freed 4
//# prints: threads 8
//# prints: sorted 0 999
//# prints: aligned 1
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <pthread.h>
#include <string>
#include <vector>

#include "arena.hpp"

extern "C" {
void *malloc(size_t size) { return Arena::locked([=] { return Arena::take(size); }); }
void free(void *block) {
    if (block) Arena::locked([=] { return Arena::give(block), nullptr; });
}
void *calloc(size_t count, size_t size) {
    void *block = malloc(count * size);
    return std::memset(block, 0, count * size);
}
void *realloc(void *block, size_t size) {
    void *result = malloc(size);
    if (block) {
        std::memcpy(result, block, std::min(size, Arena::size_of(block)));
        free(block);
    }
    return result;
}
void *aligned_alloc(size_t, size_t size) { return malloc(size); }
}
void *operator new(size_t size) { return malloc(size); }
void operator delete(void *block) noexcept { free(block); }
void operator delete(void *block, size_t) noexcept { free(block); }

// Functions of many sizes, so that compiling has something to sort and to allocate.
template <int N> int work(int x) {
    switch (x % 9) {
    case 0: return N;
    case 1: return x * N;
    case 2: return x << (N % 5);
    case 3: return work<N - 1>(x - 1);
    default: return x + work<N - 1>(x / 2);
    }
}
template <> int work<0>(int x) { return x; }

int main() {
    int allocated = Arena::allocated, freed = Arena::freed;
    {
        std::string text(100, 'x');
        std::vector<int> numbers(10);
        char *copy = strdup("ab");
        void *zeroes = calloc(3, 100);
        std::printf("strings %zu %s %s\n", text.size(), copy, "ab");
        free(copy);
        free(zeroes);
        allocated = Arena::allocated - allocated - Arena::of_stdio;
        numbers[9] = work<30>(123456789);
    }
    std::printf("allocated %d freed %d\n", allocated, Arena::freed - freed);
    pthread_t threads[8];
    int results = 0;
    for (auto &thread : threads)
        pthread_create(&thread, nullptr, [](void *) -> void * { return std::malloc(10 + Arena::used % 100); }, nullptr);
    for (auto &thread : threads) {
        void *block;
        pthread_join(thread, &block);
        results += block != nullptr;
        free(block);
    }
    std::printf("threads %d\n", results);
    std::vector<int> sorted(1000);
    for (int i = 0; i < 1000; i++) sorted[static_cast<size_t>(i)] = i * 7 % 1000;
    std::sort(sorted.begin(), sorted.end());
    std::printf("sorted %d %d\n", sorted.front(), sorted.back());
    std::printf("aligned %d\n", reinterpret_cast<size_t>(aligned_alloc(16, 16)) % 16 == 0);
}
