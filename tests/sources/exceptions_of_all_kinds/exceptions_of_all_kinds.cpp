// Exceptions in all their forms: nested, rethrown, from constructors and static locals, through callbacks of plain
// libraries, handed from thread to thread.
//# plain: plain_relay.cpp
//# linkers: lld
//# link: -pthread
//# lazy: _Z12compare_failPKvS0_ _Z6nestedi _Z9retriableb
//# prints: members made 2 destroyed 2
//# prints: elements destroyed 2
//# prints: function try block: second member, then converted
//# prints: nested 3 2 1 0
//# prints: through qsort: 42
//# prints: through the plain relay: 43, and back
//# prints: uncaught 0 1 0
//# prints: static local: failed, failed, 5, 5
//# prints: across threads: from 1 from 2 from 3
//# prints: future: broken
//# prints: same object 1
//# prints: base caught, derived what
//# prints: pointer 7, null 1
//# prints: standard: bad_cast bad_typeid out_of_range length_error
//# prints: call_once ran 3 times
//# prints: jumped over: 1
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <typeinfo>
#include <vector>

void relay(const std::function<void()> &inner); // plain

static int made, destroyed;
struct Member {
    explicit Member(bool fails) {
        if (fails) throw std::runtime_error("second member");
        made++;
    }
    ~Member() { destroyed++; }
};
struct Whole {
    Member first{false}, other{false}, last;
    explicit Whole(bool fails) : last(fails) {}
};
struct Base {
    Member member;
    explicit Base(bool fails) : member(fails) {}
};
struct Converting : Base {
    explicit Converting(bool fails) try : Base(fails) {
    } catch (const std::exception &error) {
        throw std::string(error.what()) + ", then converted";
    }
};

static int element;
struct Element {
    Element() {
        if (++element == 3) throw element;
    }
    ~Element() { destroyed++; }
};

void nested(int depth) {
    try {
        if (depth == 0) throw std::runtime_error("0");
        nested(depth - 1);
    } catch (...) {
        if (depth == 0) throw;
        std::throw_with_nested(std::runtime_error(std::to_string(depth)));
    }
}
static void unroll(const std::exception &error) {
    std::printf(" %s", error.what());
    try {
        std::rethrow_if_nested(error);
    } catch (const std::exception &inner) {
        unroll(inner);
    }
}

int compare_fail(const void *, const void *) { throw 42; }

struct Counter {
    int *seen;
    ~Counter() { *seen = std::uncaught_exceptions(); }
};

int attempts = 0;
int retriable(bool fails) {
    static int value = [&] {
        attempts++;
        if (fails) throw "failed";
        return 5;
    }();
    return value;
}

struct Plain {
    virtual ~Plain() = default;
    virtual const char *what() const { return "plain"; }
};
struct Left : virtual Plain {
    int left = 1;
};
struct Right : virtual Plain {
    int right = 2;
};
struct Derived : Left, Right {
    const char *what() const override { return "derived what"; }
};

template <typename E, typename F> static const char *catches(F f, const char *name) {
    try {
        f();
    } catch (const E &) {
        return name;
    }
    return "nothing";
}

int main() {
    try {
        Whole whole(true);
    } catch (const std::runtime_error &) {
        std::printf("members made %d destroyed %d\n", made, destroyed);
    }
    destroyed = 0;
    try {
        delete[] new Element[5];
    } catch (int) {
        std::printf("elements destroyed %d\n", destroyed);
    }
    try {
        Converting converting(true);
    } catch (const std::string &text) {
        std::printf("function try block: %s\n", text.c_str());
    }
    try {
        nested(3);
    } catch (const std::exception &error) {
        std::printf("nested");
        unroll(error);
        std::puts("");
    }
    int numbers[] = {3, 1, 2};
    try {
        std::qsort(numbers, 3, sizeof(int), compare_fail);
    } catch (int value) {
        std::printf("through qsort: %d\n", value);
    }
    try {
        relay([] {
            try {
                relay([] { throw 43; });
            } catch (int value) {
                std::printf("through the plain relay: %d", value);
                throw;
            }
        });
    } catch (int) {
        std::puts(", and back");
    }
    int before = std::uncaught_exceptions(), during = -1;
    try {
        Counter counter{&during};
        throw 1;
    } catch (int) {
        std::printf("uncaught %d %d %d\n", before, during, std::uncaught_exceptions());
    }
    std::printf("static local: ");
    for (int i = 0; i < 4; i++) {
        try {
            std::printf("%d%s", retriable(i < 2), i < 3 ? ", " : "\n");
        } catch (const char *text) {
            std::printf("%s, ", text);
        }
    }
    std::vector<std::exception_ptr> caught(3);
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; i++)
        threads.emplace_back([&caught, i] {
            try {
                throw std::runtime_error("from " + std::to_string(i + 1));
            } catch (...) {
                caught[static_cast<std::size_t>(i)] = std::current_exception();
            }
        });
    for (auto &thread : threads) thread.join();
    std::printf("across threads:");
    for (auto &pointer : caught) {
        try {
            std::rethrow_exception(pointer);
        } catch (const std::runtime_error &error) {
            std::printf(" %s", error.what());
        }
    }
    std::puts("");
    auto future = std::async(std::launch::async, []() -> int { throw std::logic_error("broken"); });
    try {
        future.get();
    } catch (const std::logic_error &error) {
        std::printf("future: %s\n", error.what());
    }
    const void *first = nullptr;
    std::exception_ptr kept;
    try {
        throw std::runtime_error("once");
    } catch (const std::exception &error) {
        first = &error;
        kept = std::current_exception();
    }
    try {
        std::rethrow_exception(kept);
    } catch (const std::exception &error) {
        std::printf("same object %d\n", first == &error);
    }
    try {
        throw Derived();
    } catch (const Plain &plain) {
        std::printf("base caught, %s\n", plain.what());
    }
    Derived object;
    try {
        throw &object;
    } catch (Right *right) {
        std::printf("pointer %d", right->right + 5);
    }
    try {
        throw nullptr;
    } catch (int *pointer) {
        std::printf(", null %d\n", pointer == nullptr);
    }
    Plain plain, *none = nullptr;
    std::printf("standard: %s", catches<std::bad_cast>([&] { dynamic_cast<Left &>(plain).left++; }, "bad_cast"));
    std::printf(" %s", catches<std::bad_typeid>([&] { std::puts(typeid(*none).name()); }, "bad_typeid"));
    std::printf(" %s", catches<std::out_of_range>([] { std::vector<int>().at(1) = 2; }, "out_of_range"));
    std::printf(" %s\n", catches<std::length_error>([] { std::string().reserve(std::string::npos); }, "length_error"));
    std::once_flag once;
    int runs = 0;
    for (int i = 0; i < 4; i++) {
        try {
            std::call_once(once, [&] {
                if (++runs < 3) throw runs;
            });
        } catch (int) {
        }
    }
    std::printf("call_once ran %d times\n", runs);
    int cleaned = 0;
    [&] {
        struct Clean {
            int *cleaned;
            ~Clean() { ++*cleaned; }
        };
        for (int i = 0; i < 3; i++) {
            Clean clean{&cleaned};
            try {
                if (i == 0) throw i;
                return;
            } catch (int) {
                goto out;
            }
        }
    out:;
    }();
    std::printf("jumped over: %d\n", cleaned);
}
