// Exceptions within loops that are continued elsewhere, out of them, and through frames that are left for that.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#define APART __attribute__((noinline))

struct Counted {
    static int alive;
    int number;
    explicit Counted(int number) : number(number) { alive++; }
    Counted(const Counted &other) : number(other.number) { alive++; }
    ~Counted() { alive--; }
};
int Counted::alive;

APART static int sometimes(int i) {
    if (i % 5 == 3) throw i;
    if (i % 7 == 6) throw std::string("seven");
    return i;
}

// Caught in the same function, round by round.
APART static int within(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) {
        Counted guard(i);
        try {
            sum += sometimes(i);
        } catch (int number) {
            sum += 1000 * number;
        } catch (const std::string &text) {
            sum += int(text.size());
        }
    }
    return sum;
}

// Out of the loop, and caught behind it.
APART static int behind(int n) {
    std::vector<Counted> all;
    try {
        for (int i = 0; i < n; i++) {
            all.emplace_back(i);
            sometimes(i == 17 ? 3 : 5);
        }
    } catch (int number) {
        return number + int(all.size());
    }
    return -1;
}

// Out of the function, whose objects are destroyed, through another one that is in its loop.
APART static int through(int n) {
    Counted before(1);
    std::unique_ptr<Counted> owned(new Counted(2));
    for (int i = 0;; i++) {
        Counted within(i);
        if (i == n) throw std::to_string(i) + (owned ? "!" : "?");
    }
}
APART static int above(int n) {
    Counted before(3);
    int sum = 0;
    for (int i = 0; i < n; i++) {
        Counted within(i);
        sum += i + (i == n - 1 ? through(n) : 0);
    }
    return sum;
}

APART static std::string result(int n) {
    std::string text;
    for (int i = 0; i < n; i++) text += char('a' + i);
    return text;
}

// noexcept: what is not thrown does not end the program.
APART static int quiet(int n) noexcept {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += int(result(i).size());
    return sum;
}

// What a call returns that may throw is stored where it has returned: in each copy of the inner loop and of the one around it.
APART static int nested(int n, int last) {
    int sum = 0;
    try {
        for (int row = 0; row < n; row++) {
            Counted within(row);
            int found = row;
            for (int at = 0; at < 40; at++) {
                found = sometimes(35 * (at ^ row) % last);
                sum = found % 3 ? sum * 5 % 10007 + found : sum ^ found;
            }
            sum += found * row;
        }
    } catch (int number) {
        sum ^= number;
    }
    return sum;
}

extern "C" int thrown(int n) {
    std::printf("%d %d %s %d\n", within(n), behind(n), result(n).c_str(), quiet(n));
    std::printf("%d %d\n", nested(n, 1000), nested(n, 62));
    try {
        above(n);
    } catch (const std::string &text) {
        std::printf("%s, %d alive\n", text.c_str(), Counted::alive);
    }
    std::vector<std::string> words;
    for (int i = 0; i < n; i++) {
        try {
            words.push_back(result(i % 6));
            above(i % 4);
        } catch (const std::string &text) {
            words.back() += text;
        }
    }
    int sum = Counted::alive;
    for (const auto &word : words)
        for (char c : word) sum = sum * 7 % 100003 + c;
    return sum;
}
