// Threads that are cancelled while they make first calls, at any point or at cancellation points only; cleanup handlers
// and destructors of keys make first calls of their own.
//# link: -pthread
//# linkers: lld
//# repeat: 5
//# prints: asynchronous 40 of 40
//# prints: deferred 40 of 40
//# prints: cleanups 160
//# prints: all of 800 right
//# lazy: in_cleanup in_key
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
enum { COUNT = sizeof all / sizeof *all, THREADS = 4, ROUNDS = 10 };

static int cleanups, next;
static pthread_key_t key;

int in_cleanup(int x) { return x + 1; }
int in_key(int x) { return x + 1; }
static void add(int number) { __atomic_fetch_add(&cleanups, number, __ATOMIC_SEQ_CST); }
static void cleanup(void *unused) { (void)unused, add(in_cleanup(0)); }
static void at_end(void *unused) { (void)unused, add(in_key(0)); }

/// Goes on where other threads have left off, until it is cancelled.
static void *work(void *type) {
    int old;
    pthread_setspecific(key, &key);
    pthread_cleanup_push(cleanup, NULL);
    pthread_setcanceltype((int)(long)type, &old);
    for (;;) {
        volatile int sink = all[__atomic_fetch_add(&next, 1, __ATOMIC_SEQ_CST) % COUNT](0);
        (void)sink;
        if ((long)type == PTHREAD_CANCEL_DEFERRED) pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}

static int cancel(long type) {
    int cancelled = 0;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)type);
        usleep((useconds_t)(2000 + 500 * round));
        for (int i = 0; i < THREADS; i++) {
            void *result;
            pthread_cancel(threads[i]);
            pthread_join(threads[i], &result);
            cancelled += result == PTHREAD_CANCELED;
        }
    }
    return cancelled;
}

int main(void) {
    pthread_key_create(&key, at_end);
    printf("asynchronous %d of 40\n", cancel(PTHREAD_CANCEL_ASYNCHRONOUS));
    printf("deferred %d of 40\n", cancel(PTHREAD_CANCEL_DEFERRED));
    printf("cleanups %d\n", cleanups);
    int right = 0;
    for (int i = 0; i < COUNT; i++) right += all[i](0) == i;
    printf("all of %d right\n", right);
    return 0;
}
