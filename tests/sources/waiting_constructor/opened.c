// The library that waiting_constructor.c opens.
#include <pthread.h>

int computed = 0;

static int compute(int x) { return x * 2; }
static void *work(void *unused) {
    computed = compute(21);
    return unused;
}

__attribute__((constructor)) static void wait(void) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    pthread_join(thread, 0);
}
