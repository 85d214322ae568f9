// Inline functions and templates that all files use.
#include <atomic>
#include <map>
#include <string>
#include <vector>

template <int N> [[gnu::noinline]] int step(int x) { return x * 31 + N; }
template <int N> [[gnu::noinline]] int chain(int x) { return step<N>(x) + chain<N - 1>(x + 1); }
template <> inline int chain<0>(int x) { return x; }

struct Account {
    int total = 0;
    [[gnu::noinline]] void add(int x) { total += limit(x); }
    [[gnu::noinline]] static int limit(int x) { return x > 1000 ? x % 1000 : x; }
    virtual int report() const { return total; }
    virtual ~Account() = default;
};

[[gnu::noinline]] inline int once(int x) {
    static std::atomic<int> calls{0};
    calls++;
    return x + 3;
}

[[gnu::noinline]] inline int words(const std::string &text) {
    std::map<std::string, int> counts;
    for (char letter : text) counts[std::string(1, letter)]++;
    std::vector<int> numbers;
    for (const auto &[word, count] : counts) numbers.push_back(count);
    return (int)numbers.size() + (int)counts.size();
}
