#include <pthread.h>
#include <stdio.h>
extern int (*all0_s[])(int), (*all1_s[])(int), (*all2_s[])(int), (*all3_s[])(int);
static int (**const all[])(int) = {all0_s, all1_s, all2_s, all3_s};
static pthread_barrier_t barrier;
static void *work(void *number) {
    long sum = 0, first = (long)number;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 32; i++) sum += all[(first + i) % 4][(first + i / 4) % 8](i);
    return (void *)sum;
}
int main(void) {
    pthread_t threads[16];
    long sum = 0;
    pthread_barrier_init(&barrier, NULL, 16);
    for (long i = 0; i < 16; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < 16; i++) { void *part; pthread_join(threads[i], &part); sum += (long)part; }
    printf("%ld\n", sum);
    return 0;
}
