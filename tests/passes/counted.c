// How often its functions were called, if a plugin counts that.
#include <stdio.h>

static int count;
__attribute__((noinline)) void counted(void) { count++; }
__attribute__((noinline)) static int twice(int x) { return 2 * x; }
__attribute__((noinline)) int four_times(int x) { return twice(twice(x)); }
int main(int argc, char **argv) {
    (void)argv;
    int x = four_times(argc);
    printf("%d %d\n", x, count);
    return 0;
}
