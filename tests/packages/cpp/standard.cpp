// The parts of the C++ library that are templates, or that call back: streams, maps, regular expressions, threads.
#include <algorithm>
#include <condition_variable>
#include <future>
#include <iomanip>
#include <iostream>
#include <map>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

struct Point {
    int x, y;
    friend std::ostream &operator<<(std::ostream &out, const Point &p) { return out << '(' << p.x << ", " << p.y << ')'; }
    friend std::istream &operator>>(std::istream &in, Point &p) { return in >> p.x >> p.y; }
    auto key() const { return std::tie(x, y); }
    bool operator<(const Point &other) const { return key() < other.key(); }
};

static void streams() {
    std::istringstream in("3 4 1 2 x");
    std::set<Point> points;
    for (Point p; in >> p;) points.insert(p);
    for (const Point &p : points) std::cout << p << ' ';
    std::cout << std::hex << std::showbase << 255 << std::dec << ' ' << std::setw(8) << std::setfill('*')
              << std::fixed << std::setprecision(2) << 3.14159 << ' ' << std::boolalpha << in.fail() << '\n';
    std::cin.exceptions(std::ios::failbit);
    try {
        int number;
        std::cin >> number;
    } catch (const std::ios::failure &) {
        std::cout << "no number on standard input\n";
    }
}

static void expressions() {
    std::regex pattern(R"((\w+)@(\w+)\.(com|org))");
    std::string text = "write to ann@example.com, bob@test.org or nobody@nowhere";
    for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
        std::cout << (*it)[1] << " at " << (*it)[2] << ' ';
    std::cout << std::regex_replace(text, pattern, "<$1>") << '\n';
    try {
        std::regex bad("(");
    } catch (const std::regex_error &error) {
        std::cout << "bad expression " << (error.code() == std::regex_constants::error_paren) << '\n';
    }
}

static void containers() {
    std::mt19937 random(42);
    std::vector<int> numbers(1000);
    std::generate(numbers.begin(), numbers.end(), [&] { return static_cast<int>(random() % 1000); });
    std::map<int, int> histogram;
    for (int n : numbers) histogram[n / 100]++;
    for (auto [bucket, count] : histogram) std::cout << bucket << ':' << count << ' ';
    std::unordered_map<std::string, std::vector<int>> index;
    for (int n : numbers) index[std::to_string(n % 7)].push_back(n);
    std::priority_queue<int> queue(numbers.begin(), numbers.end());
    std::sort(numbers.begin(), numbers.end(), std::greater<>());
    std::cout << index.size() << ' ' << index["3"].size() << ' ' << (queue.top() == numbers[0]) << ' '
              << std::accumulate(numbers.begin(), numbers.end(), 0L) << '\n';
    std::variant<int, std::string, Point> value = Point{5, 6};
    std::visit([](const auto &v) { std::cout << v << ' '; }, value);
    std::optional<std::string_view> view = "a view";
    std::cout << view->substr(2) << '\n';
}

static void threads() {
    std::mutex mutex;
    std::condition_variable changed;
    int turn = 0;
    std::string order;
    std::vector<std::thread> all;
    for (int i = 0; i < 4; i++)
        all.emplace_back([&, i] {
            std::unique_lock lock(mutex);
            changed.wait(lock, [&] { return turn == i; });
            order += static_cast<char>('a' + i);
            turn++;
            changed.notify_all();
        });
    for (auto &thread : all) thread.join();
    auto future = std::async(std::launch::async, []() -> int { throw std::runtime_error("from a future"); });
    try {
        future.get();
    } catch (const std::exception &error) {
        std::cout << order << ' ' << error.what() << '\n';
    }
}

int main() {
    streams();
    expressions();
    containers();
    threads();
}
