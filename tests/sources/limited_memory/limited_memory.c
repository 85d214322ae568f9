// A lazy program limits its own address space when it already runs: what the runtime had reserved is given back, so that
// the program gets the memory that it counts on, and later first calls have what they need.
//# linkers: lld
//# prints: allocated 120 MB 1
//# prints: later calls 300
//# prints: refused beyond the limit 1
//# lazy: later1 later2
//# dynamic: nothing is interposed there: reserved addresses count
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

__attribute__((noinline)) int later1(int x) { return x + 100; }
__attribute__((noinline)) int later2(int x) { return x + (int)strlen("12") * 100; }

int main(void) {
    enum { MEGABYTE = 1 << 20 };
    setrlimit(RLIMIT_AS, &(struct rlimit){256 * MEGABYTE, 256 * MEGABYTE});
    char *volatile block = malloc(120 * MEGABYTE);
    if (block) memset(block, 1, 120 * MEGABYTE);
    printf("allocated 120 MB %d\n", block && block[119 * MEGABYTE] == 1);
    printf("later calls %d\n", later1(0) + later2(0));
    void *volatile too_much = malloc(300 * (size_t)MEGABYTE);
    printf("refused beyond the limit %d\n", too_much == NULL);
    return 0;
}
