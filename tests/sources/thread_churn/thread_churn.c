// Ten thousand threads come and go, and some of them make first calls: nothing of the runtime's is left with them.
//# link: -pthread
//# linkers: mold
//# prints: threads 10000 sum 495000 keys 10000
//# prints: mappings within bounds 1
#include <pthread.h>
#include <stdio.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n - 100; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define ALL TEN(10) TEN(11) TEN(12) TEN(13) TEN(14) TEN(15) TEN(16) TEN(17) TEN(18) TEN(19)
ALL
#undef F
#define F(n) f##n,
static int (*const all[])(int) = {ALL};

static pthread_key_t key;
static int ended;
static void at_end(void *unused) { (void)unused, __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED); }

static void *work(void *number) {
    pthread_setspecific(key, &key);
    return (void *)(long)all[(long)number % 100](0);
}

static int mappings(void) {
    int lines = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    for (int c; (c = getc(maps)) != EOF;) lines += c == '\n';
    fclose(maps);
    return lines;
}

int main(void) {
    enum { THREADS = 10000, AT_ONCE = 25 };
    pthread_t threads[AT_ONCE];
    long sum = 0;
    int middle = 0;
    pthread_key_create(&key, at_end);
    for (long first = 0; first < THREADS; first += AT_ONCE) {
        if (first == THREADS / 2) middle = mappings();
        for (int i = 0; i < AT_ONCE; i++) pthread_create(&threads[i], NULL, work, (void *)(first + i));
        for (int i = 0; i < AT_ONCE; i++) {
            void *result;
            pthread_join(threads[i], &result);
            sum += (long)result;
        }
    }
    printf("threads %d sum %ld keys %d\n", THREADS, sum, ended);
    printf("mappings within bounds %d\n", mappings() - middle < 50);
    return 0;
}
