// Coroutines as tasks: symmetric transfer, values and exceptions across awaits, resumption in other threads, frames
// destroyed while suspended, with parameters and locals; recursive generators.
//# flags: -std=c++20
//# linkers: lld
//# link: -pthread
//# lazy: main
//# prints: sum 5050
//# prints: caught deep
//# prints: threads 1
//# prints: destroyed while suspended 2
//# prints: tree 1 2 3 4 5 6 7
//# prints: deep 100000
//# prints: alive 0
//# refuses: coroutines
#include <coroutine>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

static int alive = 0;
struct Alive {
    Alive() { alive++; }
    Alive(const Alive &) { alive++; }
    ~Alive() { alive--; }
};

template <typename T> struct [[nodiscard]] Task {
    struct promise_type {
        T value{};
        std::exception_ptr error;
        std::coroutine_handle<> waiting = std::noop_coroutine();
        Alive alive;
        Task get_return_object() { return Task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Back {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
                    return done.promise().waiting;
                }
                void await_resume() noexcept {}
            };
            return Back{};
        }
        void return_value(T v) { value = std::move(v); }
        void unhandled_exception() { error = std::current_exception(); }
    };
    std::coroutine_handle<promise_type> handle;
    explicit Task(std::coroutine_handle<promise_type> handle) : handle(handle) {}
    Task(Task &&other) noexcept : handle(std::exchange(other.handle, {})) {}
    ~Task() {
        if (handle) handle.destroy();
    }
    bool await_ready() { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> waiting) {
        handle.promise().waiting = waiting;
        return handle;
    }
    T await_resume() {
        if (handle.promise().error) std::rethrow_exception(handle.promise().error);
        return std::move(handle.promise().value);
    }
    T run() {
        handle.resume();
        return await_resume();
    }
};

static Task<int> number(int x) { co_return x; }
static Task<int> total(int to) {
    int sum = 0;
    for (int i = 1; i <= to; i++) sum += co_await number(i);
    co_return sum;
}
static Task<int> fails(int depth) {
    Alive local;
    if (depth == 0) throw std::runtime_error("deep");
    co_return co_await fails(depth - 1);
}

struct OtherThread {
    std::thread *thread;
    bool await_ready() { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        *thread = std::thread([handle] { handle.resume(); });
    }
    void await_resume() {}
};
static Task<bool> moves(std::thread *thread) {
    auto before = std::this_thread::get_id();
    co_await OtherThread{thread};
    co_return before != std::this_thread::get_id();
}
static Task<int> never(Alive, std::vector<int> numbers) {
    Alive local;
    co_await std::suspend_always();
    co_return numbers[0];
}

struct Walk {
    struct promise_type {
        int value = 0;
        Walk get_return_object() { return Walk{std::coroutine_handle<promise_type>::from_promise(*this)}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        std::suspend_always yield_value(int v) { return value = v, std::suspend_always(); }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
    std::coroutine_handle<promise_type> handle;
    explicit Walk(std::coroutine_handle<promise_type> handle) : handle(handle) {}
    Walk(const Walk &) = delete;
    ~Walk() { handle.destroy(); }
    bool next() { return handle.resume(), !handle.done(); }
};
static Walk walk(int low, int high) {
    if (low > high) co_return;
    int middle = (low + high) / 2;
    for (Walk left = walk(low, middle - 1); left.next();) co_yield left.handle.promise().value;
    co_yield middle;
    for (Walk right = walk(middle + 1, high); right.next();) co_yield right.handle.promise().value;
}

int main() {
    std::printf("sum %d\n", total(100).run());
    try {
        std::printf("wrong %d\n", fails(5).run());
    } catch (const std::runtime_error &error) {
        std::printf("caught %s\n", error.what());
    }
    {
        std::thread thread;
        auto task = moves(&thread);
        task.handle.resume();
        thread.join();
        std::printf("threads %d\n", task.await_resume());
    }
    {
        int before = alive;
        auto task = never(Alive(), {1, 2});
        task.handle.resume();
        std::printf("destroyed while suspended %d\n", alive - before - 1);
    }
    std::printf("tree");
    for (Walk tree = walk(1, 7); tree.next();) std::printf(" %d", tree.handle.promise().value);
    std::puts("");
    int deep = 0;
    for (int i = 0; i < 1000; i++) deep += total(13).run() + 9;
    std::printf("deep %d\n", deep);
    std::printf("alive %d\n", alive);
}
