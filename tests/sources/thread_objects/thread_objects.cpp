// Thread-local objects are made on first use and destroyed with their thread.
//# link: -pthread
//# prints: main has 1
//# prints: thread has 2
//# prints: destroyed 2
//# prints: main still has 1
#include <cstdio>
#include <thread>

static int made = 0;

struct Object {
    int number = ++made;
    ~Object() { std::printf("destroyed %d\n", number); }
};

thread_local Object object;
inline thread_local int uses = 0;

int number() { return uses++, object.number; }

int main() {
    std::printf("main has %d\n", number());
    std::thread([] { std::printf("thread has %d\n", number()); }).join();
    std::printf("main still has %d\n", number());
    return uses == 2 ? 0 : 1;
}
