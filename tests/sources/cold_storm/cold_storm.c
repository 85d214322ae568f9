// Sixty-four threads make first calls of 5,000 functions at once, in 100 rounds, each thread in an order of its own: each
// function is compiled once, whoever wins.
//# sources: part_a.c part_b.c part_c.c
//# link: -pthread
//# linkers: mold
//# prints: total 799840000 wrong 0
//# stats: compiled <= 5100
//# stats: functions >= 5000
#include <pthread.h>
#include <stdio.h>

enum { THREADS = 64, ROUNDS = 100, PART = 1250, STEP = 4 * PART / ROUNDS };

#define PART_NAME d
#include "part.h"
int (*const *part_a(void))(int);
int (*const *part_b(void))(int);
int (*const *part_c(void))(int);

static pthread_barrier_t barrier;
static int (*const *parts[4])(int);

/// Function `i` of all; neighbours are of different modules.
static int call(int i) { return parts[i % 4][i / 4](i) - (i / 4); }

static void *work(void *argument) {
    long sum = 0, number = (long)argument;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&barrier);
        for (int i = 0; i < STEP; i++) sum += call(round * STEP + (i * 7 + (int)number) % STEP);
    }
    return (void *)sum;
}

int main(void) {
    pthread_t threads[THREADS];
    long total = 0, expected = 0;
    int wrong = 0;
    parts[0] = part_a(), parts[1] = part_b(), parts[2] = part_c(), parts[3] = part_d();
    for (int i = 0; i < 4 * PART; i++) expected += i;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        total += (long)result;
        wrong += (long)result != expected;
    }
    printf("total %ld wrong %d\n", total, wrong);
    return wrong;
}
