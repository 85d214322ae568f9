#include <stdio.h>
#include <time.h>
__attribute__((noinline)) static void *caller(void) { return __builtin_return_address(0); }
int main(void) {
    unsigned long sum = 0;
    void *first = NULL;
    time_t end = time(NULL) + 60;
    for (unsigned long round = 0; round % 1024 || time(NULL) < end; round++) {
        void *now = caller();
        if (first == NULL) first = now;
        sum += round;
        if (now != first) {
            puts(sum == round * (round + 1) / 2 ? "continued" : "wrong");
            return 0;
        }
    }
    puts("never");
    return 0;
}
