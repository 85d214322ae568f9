// Calls all functions of all parts, in the order that the first argument says; in threads, if there is a second one.
#include <cstdio>
#include <thread>
#include "shared.h"

#define EACH(f) f(0) f(1) f(2) f(3) f(4) f(5)
#define DECLARE(n) int early##n(int); int late##n(int);
EACH(DECLARE)

#define LIST(n) early##n, late##n,
static int (*const functions[])(int) = {EACH(LIST)};
enum { COUNT = sizeof functions / sizeof *functions };

int main(int argc, char **argv) {
    std::vector<int> results(COUNT);
    std::vector<std::thread> threads;
    for (const char *which = argv[1]; *which; which++) {
        int number = *which - 'a';
        auto work = [&results, number] { results[number] = functions[number](number); };
        threads.emplace_back(work);
        if (argc <= 2) threads.back().join();
    }
    for (auto &thread : threads)
        if (thread.joinable()) thread.join();
    long sum = 0;
    for (int result : results) sum = sum * 7 + result;
    printf("%ld\n", sum);
}
