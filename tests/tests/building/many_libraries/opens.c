// Takes as many gigabytes as its second argument says, opens libraries 0.so, 1.so, … up to its first argument, calls all
// of them, and closes them; as often as its third argument says.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

static long sum;
int note(int number) { return sum += number, number; }

// The last of them has holes that a library or three fill: the loader puts them there.
static void take(long gigabytes) {
    const long piece = 64 << 20, hole = 64 << 10;
    for (long left = gigabytes * 16; left > 0; left--) {
        char *start = mmap(0, piece, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED || (left <= 16 && munmap(start + piece / 2, hole))) abort();
    }
}

int main(int argc, char **argv) {
    int count = atoi(argv[1]), rounds = atoi(argv[3]);
    take(atol(argv[2]));
    void **libraries = calloc(count, sizeof *libraries);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < count; i++) {
            char name[32];
            snprintf(name, sizeof name, "./%d.so", i);
            libraries[i] = dlopen(name, RTLD_NOW | RTLD_LOCAL);
            if (!libraries[i]) return puts(dlerror()), 1;
        }
        for (int i = 0; i < count; i++) {
            int (*later)(int) = (int (*)(int))dlsym(libraries[i], "later");
            sum += later(i);
        }
        for (int i = 0; i < count; i++) dlclose(libraries[i]);
    }
    printf("%ld\n", sum);
    return 0;
}
