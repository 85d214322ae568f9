// Atomics of every width, and locks, from several threads.
//# flags: -Wno-atomic-alignment
//# link: -pthread -latomic
//# prints: added 40000 40000 40000
//# prints: wide 40000
//# prints: locked 40000
//# prints: exchanged 5 6
//# refuses: atomic accesses of 16 bytes
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static _Atomic int narrow;
static _Atomic long full;
static _Atomic char byte_sums[4];
static unsigned __int128 wide;
static int locked;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void add_wide(void) { __atomic_fetch_add(&wide, 1, __ATOMIC_SEQ_CST); }
static void add_locked(void) {
    pthread_mutex_lock(&mutex);
    locked++;
    pthread_mutex_unlock(&mutex);
}
static void *work(void *index) {
    for (int i = 0; i < 10000; i++) {
        narrow++;
        atomic_fetch_add_explicit(&full, 1, memory_order_relaxed);
        if (i < 100) byte_sums[(long)index]++;
        add_wide();
        add_locked();
    }
    return NULL;
}

int main(void) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    int bytes = byte_sums[0] + byte_sums[1] + byte_sums[2] + byte_sums[3];
    printf("added %d %ld %d\n", narrow, full, bytes * 100);
    printf("wide %d\n", (int)wide);
    printf("locked %d\n", locked);
    int expected = 5;
    _Atomic int value = 5;
    atomic_compare_exchange_strong(&value, &expected, 6);
    printf("exchanged %d %d\n", expected, value);
    return 0;
}
