// Parts of the standard library, used in ways that both libstdc++ and libc++ know. Each function prints a line.
#pragma once
#include <algorithm>
#include <any>
#include <atomic>
#include <charconv>
#include <chrono>
#include <complex>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iostream>
#include <locale>
#include <memory>
#include <mutex>
#include <optional>
#include <queue>
#include <ranges>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <variant>
#include <utility>
#include <vector>

namespace parts {
inline void ranges() {
    auto squares = std::views::iota(1, 20) | std::views::filter([](int x) { return x % 3 == 0; }) |
                   std::views::transform([](int x) { return x * x; }) | std::views::take(4);
    std::cout << "ranges";
    for (int x : squares) std::cout << ' ' << x;
    std::vector<std::string> words{"pear", "fig", "apple"};
    std::ranges::sort(words, {}, &std::string::size);
    std::cout << ' ' << words.front() << ' ' << *std::ranges::max_element(words) << '\n';
}
struct Comma : std::numpunct<char> {
    char do_thousands_sep() const override { return '\''; }
    std::string do_grouping() const override { return "\3"; }
    std::string do_truename() const override { return "ja"; }
};
inline void locales() {
    std::ostringstream out;
    out.imbue(std::locale(std::locale::classic(), new Comma));
    out << 1234567 << ' ' << std::boolalpha << true << ' ' << std::toupper('q', out.getloc());
    std::cout << "locale " << out.str() << ' ' << std::use_facet<std::ctype<wchar_t>>(out.getloc()).narrow(L'w', '?')
              << '\n';
}
inline void files() {
    namespace fs = std::filesystem;
    fs::path directory = fs::current_path() / "parts_of_the_standard_library";
    fs::remove_all(directory);
    fs::create_directories(directory / "a" / "b");
    std::ofstream(directory / "a" / "file.txt") << "one\ntwo\n";
    fs::copy_file(directory / "a" / "file.txt", directory / "a" / "b" / "copy.txt");
    std::vector<std::string> found;
    for (const auto &entry : fs::recursive_directory_iterator(directory))
        found.push_back(fs::relative(entry.path(), directory).generic_string());
    std::ranges::sort(found);
    std::cout << "files";
    for (const auto &name : found) std::cout << ' ' << name;
    std::cout << ' ' << fs::file_size(directory / "a" / "file.txt") << ' ' << fs::remove_all(directory) << '\n';
    try {
        fs::rename(directory / "none", directory / "other");
    } catch (const fs::filesystem_error &error) {
        std::cout << "files error " << error.path1().filename() << ' ' << error.code().value() << '\n';
    }
}
inline void vocabulary() {
    std::variant<int, std::string, std::vector<int>> variant = std::string("text");
    auto visited = std::visit(
        [](const auto &value) -> std::size_t {
            if constexpr (requires { value.size(); }) return value.size();
            else return static_cast<std::size_t>(value);
        },
        variant);
    std::any any = std::make_tuple(1, 'x');
    std::optional<int> none;
    bool thrown = false;
    try {
        std::cout << none.value();
    } catch (const std::bad_optional_access &) {
        thrown = true;
    }
    auto shared = std::make_shared<int>(5);
    std::weak_ptr<int> weak = shared;
    shared.reset();
    std::function<int(int)> function = std::bind(std::minus<>(), std::placeholders::_1, 2);
    int parsed = 0;
    std::string_view digits = "1234x";
    std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
    std::cout << "vocabulary " << visited << ' ' << std::get<1>(std::any_cast<std::tuple<int, char>>(any)) << ' ' << thrown
              << ' ' << weak.expired() << ' ' << function(9) << ' ' << parsed << ' '
              << std::abs(std::complex<double>(3, 4)) << '\n';
}
inline void threads() {
    std::mutex mutex;
    std::condition_variable condition;
    std::queue<int> work;
    std::atomic<int> sum{0};
    bool done = false;
    std::vector<std::thread> workers;
    for (int i = 0; i < 4; i++)
        workers.emplace_back([&] {
            for (;;) {
                std::unique_lock lock(mutex);
                condition.wait(lock, [&] { return done || !work.empty(); });
                if (work.empty()) return;
                int item = work.front();
                work.pop();
                lock.unlock();
                sum += item;
            }
        });
    for (int i = 1; i <= 100; i++) {
        std::lock_guard lock(mutex);
        work.push(i);
        condition.notify_one();
    }
    {
        std::lock_guard lock(mutex);
        done = true;
    }
    condition.notify_all();
    for (auto &worker : workers) worker.join();
    auto later = std::async(std::launch::async, [](int x) { return x * 2; }, 21);
    std::packaged_task<int()> task([] { return 7; });
    auto result = task.get_future();
    std::thread(std::move(task)).join();
    std::promise<std::string> promise;
    auto kept = promise.get_future();
    std::thread([&promise] { promise.set_value("kept"); }).join();
    std::shared_mutex shared;
    std::shared_lock reader(shared);
    auto deferred = std::async(std::launch::deferred, [] { return std::this_thread::get_id(); });
    std::cout << "threads " << sum << ' ' << later.get() << ' ' << result.get() << ' ' << kept.get() << ' '
              << (deferred.get() == std::this_thread::get_id()) << ' ' << (std::chrono::seconds(90) > std::chrono::minutes(1))
              << '\n';
}
inline void all() {
    ranges();
    locales();
    files();
    vocabulary();
    threads();
}
} // namespace parts
