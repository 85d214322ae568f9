// Calls `first` until it was asked for; then `called` is called often, and the loop of `looping` goes round more often; then calls
// `first` until something else was asked for. No loop of main goes round often.
#include <stdio.h>
#include <unistd.h>

#define TEN(call) call, call, call, call, call, call, call, call, call, call

__attribute__((noinline)) long first(long n) { return n * 3 + 1; }
__attribute__((noinline)) long called(long n) { return n * 5 + 1; }
__attribute__((noinline)) long looping(long n, long rounds) {
    for (long i = 0; i < rounds; i++) n = n * 7 + i;
    return n;
}

static int call_until(const char *file) {
    for (int round = 0; round < 9000; round++) {
        volatile long n = round;
        TEN((TEN(n = first(n))));
        if (access(file, F_OK) == 0) return 1;
        usleep(1000);
    }
    return 0;
}

int main(void) {
    volatile long n = 1;
    if (!call_until("asked.1")) return 1;
    for (int i = 0; i < 2000; i++) n = called(n);
    // What is entered once is asked for by its loop.
    n = looping(n, 0), n = looping(n, 0), n = looping(n, 0), n = looping(n, 120000);
    FILE *counted = fopen("counted", "w");
    if (counted == NULL || fclose(counted) != 0 || !call_until("asked.2")) return 1;
    puts("counted");
    return 0;
}
