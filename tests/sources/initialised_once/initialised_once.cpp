// Function-local statics are initialised once, by one of many threads that come at the same time.
//# link: -pthread
//# repeat: 5
//# prints: initialised 1 times, 16 saw 42
#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

static std::atomic<int> initialised{0}, ready{0};

static int expensive() {
    initialised++;
    std::this_thread::yield();
    return 42;
}

inline int value() {
    static const int once = expensive();
    return once;
}

int main() {
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; i++)
        threads.emplace_back([&good] {
            ready++;
            while (ready < 16) std::this_thread::yield();
            good += value() == 42;
        });
    for (auto &thread : threads) thread.join();
    std::printf("initialised %d times, %d saw 42\n", initialised.load(), good.load());
}
