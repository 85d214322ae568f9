#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dlfcn.h>
static int order(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
static int early_value(void) { return 11; }
static int early;
__attribute__((constructor(101))) static void first(void) { early = early_value(); }
static void bye(void) { puts("bye"); }
struct big { char bytes[4000]; };
__attribute__((noinline)) struct big copy(const struct big *from) { struct big to = *from; return to; }
unsigned __int128 divide(unsigned __int128 a, unsigned __int128 b) { return a / b; }
int main(int argc, char **argv) {
    (void)argv;
    atexit(bye);
    int numbers[] = {5, 3, 9, 1};
    qsort(numbers, 4, sizeof *numbers, order);
    struct big big;
    memset(&big, argc, sizeof big);
    struct big other = copy(&big);
    printf("%d %d %d %d\n", early, numbers[0], numbers[3], other.bytes[3999]);
    printf("%d %s\n", (int)divide((unsigned __int128)argc << 100, (unsigned __int128)argc << 98), "four");
    printf("%s\n", dlerror() ? "an error was left behind" : "no error");
    return 0;
}
