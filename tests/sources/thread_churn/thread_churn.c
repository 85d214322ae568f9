// Ten thousand threads come and go, and some of them make first calls; then four hundred, each of which compiles: nothing
// of the runtime's is left of them.
//# link: -pthread
//# linkers: mold
//# prints: threads 10000 sum 495000 keys 10000
//# prints: mappings within bounds 1
//# prints: 400 compiled, address space within bounds 1
#include <pthread.h>
#include <stdio.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n - 100; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define ALL TEN(10) TEN(11) TEN(12) TEN(13) TEN(14) TEN(15) TEN(16) TEN(17) TEN(18) TEN(19)
#define MORE \
    TEN(20) TEN(21) TEN(22) TEN(23) TEN(24) TEN(25) TEN(26) TEN(27) TEN(28) TEN(29) \
    TEN(30) TEN(31) TEN(32) TEN(33) TEN(34) TEN(35) TEN(36) TEN(37) TEN(38) TEN(39) \
    TEN(40) TEN(41) TEN(42) TEN(43) TEN(44) TEN(45) TEN(46) TEN(47) TEN(48) TEN(49) \
    TEN(50) TEN(51) TEN(52) TEN(53) TEN(54) TEN(55) TEN(56) TEN(57) TEN(58) TEN(59)
ALL MORE
#undef F
#define F(n) f##n,
static int (*const all[])(int) = {ALL}, (*const more[])(int) = {MORE};

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

static void *compile_one(void *number) { return (void *)(long)more[(long)number](0); }

/// Kibibytes of address space in use.
static long address_space(void) {
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    if (fscanf(statm, "%ld", &pages) != 1) pages = 0;
    fclose(statm);
    return 4 * pages;
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
    long right = 0, half_way = 0;
    for (long i = 0; i < 400; i++) {
        void *result;
        if (i == 200) half_way = address_space();
        pthread_create(&threads[0], NULL, compile_one, (void *)i);
        pthread_join(threads[0], &result);
        right += (long)result == 100 + i;
    }
    printf("%ld compiled, address space within bounds %d\n", right, address_space() - half_way < 256 << 10);
    return 0;
}
