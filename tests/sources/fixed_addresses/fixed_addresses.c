// A program at a fixed address, as emulators are: it maps addresses of its choice below two gigabytes, and its heap
// grows to eight; code that is compiled before and afterwards is in the way of neither.
//# levels: nopie
//# prints: mapped 14 of 14
//# prints: heap grown by 8 of 8 GB
//# prints: later 84
//# lazy: map grow later
//# stats: bound >= 4
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) static int map(unsigned long address) {
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
    return mmap((void *)address, 1 << 20, PROT_READ, flags, -1, 0) == (void *)address;
}

int grow(int gigabytes) {
    int grown = 0;
    while (grown < gigabytes && sbrk(1 << 30) != (void *)-1) grown++;
    return grown;
}

__attribute__((noinline)) int later(int x) { return x * 2; }

int main(void) {
    // The heap first: where it begins is random.
    int grown = grow(8), mapped = 0;
    // Given back, it leaves room for the rest.
    sbrk(-((long)grown << 30));
    for (unsigned long address = 0x48000000; address < 0x80000000; address += 0x4000000) mapped += map(address);
    printf("heap grown by %d of 8 GB\n", grown);
    printf("mapped %d of 14\n", mapped);
    printf("later %d\n", later(42));
    return 0;
}
