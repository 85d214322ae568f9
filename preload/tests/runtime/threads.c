#include <pthread.h>
#include <stdio.h>
long work(long);
static pthread_barrier_t barrier;
static void *thread(void *i) { pthread_barrier_wait(&barrier); return (void *)work((long)i); }
int main(void) {
    pthread_t threads[16]; long sum = 0; void *result;
    pthread_barrier_init(&barrier, 0, 16);
    for (long i = 0; i < 16; i++) pthread_create(&threads[i], 0, thread, (void *)i);
    for (int i = 0; i < 16; i++) { pthread_join(threads[i], &result); sum += (long)result; }
    printf("%ld\n", sum);
    return 0;
}
