// Is linked with many libraries, takes eight gigabytes, and calls its own functions afterwards.
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static long sum;
int note(int number) { return sum += number, number; }
int later(int x);

static void take(long gigabytes) {
    for (long i = 0; i < gigabytes * 16; i++)
        if (mmap(0, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED) abort();
}

int main(void) {
    take(8);
    printf("%ld %d\n", sum, later(1));
    return 0;
}
