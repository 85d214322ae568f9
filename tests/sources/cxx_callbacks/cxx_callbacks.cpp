// Lambdas and members as callbacks of the C library: sorting, searching, exit handlers, signal handlers, threads.
//# linkers: mold
//# link: -pthread
//# lazy: main _Z12compare_longPKvS0_
//# prints: sorted 5 4 3 1
//# prints: found 1
//# prints: signal 10 after 1
//# prints: ignored 1 default 1
//# prints: thread returned 6
//# prints: key destroyed 9
//# prints: scanned 2
//# prints: last of all
//# prints: registered while exiting
//# exit: 3
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <pthread.h>
#include <search.h>
#include <unistd.h>

int compare_long(const void *a, const void *b) {
    long x = *static_cast<const long *>(a), y = *static_cast<const long *>(b);
    return x < y ? 1 : x > y ? -1 : 0;
}

static volatile std::sig_atomic_t caught = 0;
struct Handler {
    static void handle(int signal) { caught = signal; }
    template <int N> static void numbered(int) { caught = N; }
};

int main() {
    long numbers[] = {3, 1, 4, 5};
    std::qsort(numbers, 4, sizeof(long), compare_long);
    std::printf("sorted %ld %ld %ld %ld\n", numbers[0], numbers[1], numbers[2], numbers[3]);
    long key = 4;
    void *found = std::bsearch(&key, numbers, 4, sizeof(long), compare_long);
    std::printf("found %d\n", found == numbers + 1);
    std::signal(SIGUSR1, Handler::handle);
    std::raise(SIGUSR1);
    struct sigaction action{};
    sigaction(SIGUSR1, nullptr, &action);
    std::printf("signal %d after %d\n", static_cast<int>(caught), action.sa_handler == Handler::handle);
    std::signal(SIGUSR2, Handler::numbered<77>);
    std::raise(SIGUSR2);
    auto old = std::signal(SIGUSR2, +[](int) { caught = 1; });
    std::printf("ignored %d default %d\n", old == Handler::numbered<77> && caught == 77,
                std::signal(SIGUSR2, SIG_DFL) != SIG_DFL);
    pthread_t thread;
    pthread_create(&thread, nullptr, [](void *value) -> void * { return static_cast<int *>(value) + 1; }, numbers);
    void *result;
    pthread_join(thread, &result);
    std::printf("thread returned %d\n", result == reinterpret_cast<int *>(numbers) + 1 ? 6 : 0);
    static pthread_key_t slot;
    pthread_key_create(&slot, [](void *value) { std::printf("key destroyed %d\n", *static_cast<int *>(value)); });
    pthread_create(&thread, nullptr, [](void *) -> void * {
        static int nine = 9;
        pthread_setspecific(slot, &nine);
        return nullptr;
    }, nullptr);
    pthread_join(thread, nullptr);
    dirent **entries;
    int count = scandir(".", &entries, [](const dirent *entry) { return entry->d_name[0] == '.' ? 1 : 0; }, alphasort);
    int dots = 0;
    for (int i = 0; i < count; i++) {
        dots += entries[i]->d_name[1] == 0 || (entries[i]->d_name[1] == '.' && entries[i]->d_name[2] == 0);
        std::free(entries[i]);
    }
    std::free(entries);
    std::printf("scanned %d\n", dots);
    std::atexit([] { std::puts("last of all"); });
    std::atexit([] {
        std::atexit([] { std::puts("registered while exiting"); });
        std::puts("first handler");
    });
    std::exit(3);
}
