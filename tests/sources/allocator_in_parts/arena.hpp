// The memory of allocator_in_parts.cpp.
#pragma once
#include <atomic>
#include <cstddef>

struct Arena {
    static inline std::atomic_flag lock = ATOMIC_FLAG_INIT;
    static inline std::size_t used = 0;
    static inline int allocated = 0, freed = 0;
    // The buffer of standard output.
    static constexpr int of_stdio = 1;

    static void *take(std::size_t size);
    static void give(void *block);
    static std::size_t size_of(void *block);

    // Not recursive: whoever allocates while it is held waits for ever.
    template <typename F> static void *locked(F f) {
        while (lock.test_and_set(std::memory_order_acquire)) {
        }
        void *result = f();
        lock.clear(std::memory_order_release);
        return result;
    }
};
