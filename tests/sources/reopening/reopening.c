// Libraries that are closed and opened again, at the same place or elsewhere, with another library in their place: each
// time its own code runs, also while it is closed, and the address space does not fill up.
//# plugin: first_reopened.c second_reopened.c
//# plain-plugin: third_reopened.c
//# link: -rdynamic
//# linkers: lld bfd
//# prints: sums 1225 11225 21225
//# prints: closed 150 times
//# prints: grown by less than 128 MB: 1
//# prints: kept open 7 101 201
//# prints: in no order 6 106 6
//# stats: compiled+from_cache >= 300
#include <dlfcn.h>
#include <stdio.h>

int closings;
void note_closing(int by) { closings += by; }

static void *open_library(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) puts(dlerror());
    return library;
}

static int call(void *library, int argument) {
    int (*entry)(int) = (int (*)(int))dlsym(library, "entry");
    return entry(argument);
}

static int call_once(const char *path, int argument) {
    void *library = open_library(path);
    int result = call(library, argument);
    dlclose(library);
    return result;
}

static long address_space(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (fscanf(file, "%ld", &pages) != 1) pages = -1;
    fclose(file);
    return pages * 4096;
}

static const char *const paths[] = {"./libfirst_reopened.so", "./libsecond_reopened.so", "./libthird_reopened.so"};

int main(void) {
    int sums[3] = {0};
    long before = 0;
    for (int i = 0; i < 50; i++) {
        for (int which = 0; which < 3; which++) sums[which] += call_once(paths[which], i) + (i ? 0 : which * 5000);
        if (i == 1) before = address_space();
    }
    printf("sums %d %d %d\n", sums[0], sums[1], sums[2]);
    printf("closed %d times\n", closings);
    printf("grown by less than 128 MB: %d\n", address_space() - before < 128L << 20);

    // One that stays open keeps its place, and its code.
    void *kept = open_library(paths[0]);
    int first = call(kept, 7);
    int second = call_once(paths[1], 1), third = call_once(paths[2], 1);
    printf("kept open %d %d %d\n", first, second, third);
    void *other = open_library(paths[1]);
    dlclose(kept);
    int again = call_once(paths[0], 6);
    printf("in no order %d %d %d\n", again, call(other, 6), call_once(paths[0], 6));
    dlclose(other);
    return 0;
}
