// Thread-local variables with dynamic initialisation and destructors: inline, in templates, as members, in functions,
// of other files and of libraries; one of each for every thread, whoever touches it first.
//# sources: other.cpp
//# library: library.cpp
//# linkers: lld
//# link: -pthread
//# mix
//# lazy: main _Z6oftenv _Z4sumsv _Z7recursei
//# prints: main 1 2 41 6 7 8 9
//# prints: after others 3 4
//# prints: first thread: 186 made 7 more
//# prints: addresses differ 1
//# prints: second thread destroyed all 1
//# prints: local recursion 6
//# prints: reference follows the thread 1
//# prints: destroyed in order: last made first
//# refuses: a symbol that only its module can name
#include "objects.hpp"

#include <thread>
#include <vector>

static thread_local int *const own_address = new int(5);
static thread_local std::vector<int> numbers = {1, 2, 3};

int often() {
    static thread_local int calls = 0;
    return ++calls;
}

int sums() {
    return of_inline.value + of_template<short>.value + Class<char>::member.value + of_other.value + constant_of_other +
           of_library.value + constant_of_library + touch_in_other();
}

int recurse(int depth) {
    thread_local int deepest = 0;
    if (depth > deepest) deepest = depth;
    return depth == 6 ? deepest : recurse(depth + 1);
}

struct Last {
    const char *text;
    ~Last() { std::printf("%s", text); }
};

int main() {
    std::printf("main %d %d %d %d %d %d %d\n", of_inline.value, of_template<short>.value, Class<char>::member.value,
                of_other.value, constant_of_other, of_library.value, constant_of_library);
    touch_in_other();
    touch_in_library();
    std::printf("after others %d %d\n", of_inline.value, of_template<short>.value);
    int before = made;
    const void *theirs = nullptr;
    std::thread([&] {
        int sum = sums() + often();
        theirs = &of_other;
        std::printf("first thread: %d made %d more\n", sum + touch_in_library(), made - before);
    }).join();
    std::printf("addresses differ %d\n", theirs != &of_other);
    int made_before = made, destroyed_before = destroyed;
    std::thread([] {
        sums();
        often();
        touch_in_library();
    }).join();
    std::printf("second thread destroyed all %d\n", made - made_before == destroyed - destroyed_before);
    std::printf("local recursion %d\n", recurse(0));
    int &reference = constant_of_other;
    bool follows = true;
    std::thread([&] { follows = reference == 7 && &reference != &constant_of_other && numbers.size() == 3; }).join();
    std::printf("reference follows the thread %d\n", follows && *own_address == 5);
    std::thread([] {
        thread_local Last first{"last made first\n"};
        thread_local Last second{"destroyed in order: "};
        (void)&first;
        (void)&second;
    }).join();
    return often() == 1 ? 0 : 1;
}
