// C++20 coroutines, suspended and resumed across first calls.
//# flags: -std=c++20
//# prints: 0 1 1 2 3 5 8 13
//# prints: caught from coroutine
//# prints: frames 0
//# refuses: coroutines
#include <coroutine>
#include <cstdio>
#include <exception>

static int frames = 0;

struct Generator {
    struct promise_type {
        int value = 0;
        std::exception_ptr error;
        promise_type() { frames++; }
        ~promise_type() { frames--; }
        Generator get_return_object() { return Generator{std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(int v) {
            value = v;
            return {};
        }
        void return_void() {}
        void unhandled_exception() { error = std::current_exception(); }
    };
    std::coroutine_handle<promise_type> handle;
    explicit Generator(std::coroutine_handle<promise_type> handle) : handle(handle) {}
    Generator(const Generator &) = delete;
    ~Generator() { handle.destroy(); }
    int next() {
        handle.resume();
        if (handle.promise().error) std::rethrow_exception(handle.promise().error);
        return handle.promise().value;
    }
};

static Generator fibonacci() {
    for (int a = 0, b = 1;; b = a + b, a = b - a) co_yield a;
}

static Generator failing() {
    co_yield 1;
    throw "coroutine";
}

int main() {
    {
        Generator numbers = fibonacci();
        for (int i = 0; i < 8; i++) std::printf(i ? " %d" : "%d", numbers.next());
        std::puts("");
        Generator bad = failing();
        try {
            bad.next();
            bad.next();
        } catch (const char *what) {
            std::printf("caught from %s\n", what);
        }
    }
    std::printf("frames %d\n", frames);
}
