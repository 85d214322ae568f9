// An interpreter whose loop ends when what it calls is called from elsewhere: when other code has continued it.
#include <stdio.h>
#include <time.h>
enum { ADD, CALL, BACK, END };
__attribute__((noinline)) static void *caller(void) { return __builtin_return_address(0); }
static const unsigned char program[] = {ADD, ADD, CALL, BACK, END};
int main(void) {
    static const void *const labels[] = {&&add, &&call, &&back, &&end};
    const unsigned char *at = program;
    unsigned long sum = 0, rounds = 0;
    void *first = NULL, *now = NULL;
    time_t limit = time(NULL) + 60;
    goto *labels[*at++];
add:
    sum += rounds;
    goto *labels[*at++];
call:
    now = caller();
    if (first == NULL) first = now;
    goto *labels[*at++];
back:
    rounds++;
    if (now == first && (rounds % 1024 || time(NULL) < limit)) at = program;
    goto *labels[*at++];
end:
    puts(now == first ? "never" : sum == rounds * (rounds - 1) ? "continued" : "wrong");
    return 0;
}
