// Sixteen threads call the same function first at the same time, in eight rounds.
//# link: -pthread
//# repeat: 10
//# prints: total 1536
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 16 };

static pthread_barrier_t barrier;

#define STEP(n) \
    __attribute__((noinline)) static long step##n(long x) { return x + n; } \
    __attribute__((noinline)) long outer##n(long x) { return step##n(x); }
STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8)

static long (*const steps[])(long) = {outer1, outer2, outer3, outer4, outer5, outer6, outer7, outer8};

static void *work(void *argument) {
    long sum = 0;
    for (int round = 0; round < 8; round++) {
        pthread_barrier_wait(&barrier);
        sum += steps[round]((long)argument);
    }
    return (void *)sum;
}

int main(void) {
    pthread_t threads[THREADS];
    long total = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        total += (long)result;
    }
    printf("total %ld\n", total);
    return 0;
}
