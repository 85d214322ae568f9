// Threads that run the same functions while all of these change tier, with exceptions that pass through their loops; some
// threads fork meanwhile, and their children go on. With an argument, each thread goes on until what it calls is called from
// elsewhere: until other code has continued the loop that it is in.
#include <atomic>
#include <cstdio>
#include <ctime>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline))
typedef unsigned long number;
enum { THREADS = 32, KINDS = 8 };

struct note {
    number &sum;
    ~note() { sum = sum * 5 + 1; }
};

template <int N> APART static number thrower(number sum, int n) {
    for (int i = 0; i < n; i++) {
        note at_end{sum};
        sum = sum * 31 + (i ^ N);
        if (sum % 61 == N) throw sum;
    }
    return sum;
}

template <int N> APART static number catcher(number sum, int n) {
    for (int i = 0; i < n; i++) {
        try {
            sum = thrower<N>(sum, i % 9);
        } catch (number thrown) {
            sum ^= thrown * 7;
        }
    }
    return sum;
}

template <int N> APART static number kind(int which, number sum, int n) {
    if (which == N) return catcher<N>(sum, n);
    if constexpr (N + 1 < KINDS) return kind<N + 1>(which, sum, n);
    return 0;
}

APART static number all(number sum, int first, int n) {
    for (int i = 0; i < KINDS; i++) sum = kind<0>((first + i) % KINDS, sum, n);
    return sum;
}

APART static void *caller() { return __builtin_return_address(0); }

static pthread_barrier_t ready;
static bool until_continued;
static std::atomic<int> in_old_code{THREADS};
static number results[THREADS];

// The loop begins when all threads are here, in old code.
APART static number again(int thread) {
    void *first = nullptr;
    number expected = 0;
    time_t end = time(nullptr) + 100;
    pthread_barrier_wait(&ready);
    for (int round = 0; until_continued && in_old_code > 0 && time(nullptr) < end; round++) {
        number sum = all(thread, thread, 2);
        void *now = caller();
        if (round == 0) first = now, expected = sum;
        if (sum != expected) return 1;
        if (now != first) {
            first = now;
            in_old_code--;
        }
    }
    return 0;
}

static void *run(void *argument) {
    int thread = (int)(long)argument;
    number sum = again(thread) + all(thread, thread, 20);
    if (thread % 11 == 5) {
        pid_t child = fork();
        if (child == 0) _exit((int)(all(sum, 3, 20) % 100));
        int status = 0;
        if (waitpid(child, &status, 0) == child) sum = sum * 101 + status;
    }
    results[thread] = all(sum, 1, 20);
    return nullptr;
}

int main(int argc, char **) {
    until_continued = argc > 1;
    pthread_t threads[THREADS];
    pthread_barrier_init(&ready, nullptr, THREADS);
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], nullptr, run, (void *)i);
    for (pthread_t thread : threads) pthread_join(thread, nullptr);
    for (number result : results) printf("%lx\n", result);
    if (until_continued && in_old_code > 0) puts("not all loops were continued");
    return 0;
}
