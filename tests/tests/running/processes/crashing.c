#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define F(n) __attribute__((noinline)) static long f##n(long x) { return x + n; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define P(n) f##n,
#define TENP(n) P(n##0) P(n##1) P(n##2) P(n##3) P(n##4) P(n##5) P(n##6) P(n##7) P(n##8) P(n##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8) TEN(9)
static long (*const all[])(long) = {TENP(1) TENP(2) TENP(3) TENP(4) TENP(5) TENP(6) TENP(7) TENP(8) TENP(9)};
static void *work(void *seed) {
    for (long i = 0; i < 90; i++) all[(i + (long)seed * 11) % 90](i);
    return NULL;
}
static void crash(int how) {
    if (how == 0) *(volatile int *)8 = 1;
    if (how == 1) abort();
    if (how == 2) __builtin_trap();
    if (how == 3) _exit(0);
    puts("waiting");
    fflush(stdout);
    for (;;) pause();
}
int main(int argc, char **argv) {
    pthread_t threads[4];
    for (long i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    (void)argc;
    crash(atoi(argv[1]));
}
