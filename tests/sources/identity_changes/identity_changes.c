// The C library changes user ids by signalling all threads: also those that are compiling, and it waits for them.
//# link: -pthread
//# linkers: mold
//# prints: changed 100 times, 3 threads right
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n - 1000; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
#define ALL HUNDRED(10) HUNDRED(11) HUNDRED(12) HUNDRED(13) HUNDRED(14) HUNDRED(15) HUNDRED(16) HUNDRED(17)
ALL
#undef F
#define F(n) f##n,
static int (*const all[])(int) = {ALL};
enum { COUNT = sizeof all / sizeof *all, THREADS = 3 };

static void *compile_all(void *number) {
    long right = 0;
    for (int i = 0; i < COUNT; i++) {
        int chosen = (i + (int)(long)number * 200) % COUNT;
        right += all[chosen](0) == chosen;
    }
    return (void *)right;
}

int main(void) {
    pthread_t threads[THREADS];
    int changed = 0, right = 0;
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, compile_all, (void *)i);
    for (int i = 0; i < 100; i++) changed += setuid(getuid()) == 0 && setgid(getgid()) == 0;
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        right += (long)result == COUNT;
    }
    printf("changed %d times, %d threads right\n", changed, right);
    return 0;
}
