// Functions called before the constructor that hands the tables over: from .preinit_array, from constructors of the
// highest priority in two files, and with arguments in every kind of register.
//# sources: earlier.c
//# prints: preinit 21 2.5
//# prints: constructor 101 in this file: 42 3.5
//# prints: constructor 101 in another file: 63
//# prints: ordinary constructor: 84
//# prints: main: order 4
#include <stdio.h>
#include <unistd.h>

int order;
int twice(int x);

double mixed(int a, double b, long c, float d, char e, const char *f) { return a + b + c + d + e + (f[0] == 'x'); }

static void preinit(int argc, char **argv, char **environment) {
    char line[64];
    (void)argc, (void)argv, (void)environment;
    order++;
    // Before the C library's own constructors: no stdio.
    double sum = mixed(0, 0.5, 0, 1.0f, 0, "x");
    int length = snprintf(line, sizeof line, "preinit %d %.1f\n", twice(10) + 1, sum);
    if (write(1, line, (size_t)length) != length) _exit(1);
}
__attribute__((section(".preinit_array"), used)) static void (*const entry)(int, char **, char **) = preinit;

__attribute__((constructor(101))) static void early(void) {
    order++;
    printf("constructor 101 in this file: %d %.1f\n", twice(21), mixed(1, 1.0, 0, 0.5f, 1, ""));
    fflush(stdout);
}

__attribute__((constructor)) static void ordinary(void) {
    order++;
    printf("ordinary constructor: %d\n", twice(42));
    fflush(stdout);
}

int main(void) {
    printf("main: order %d\n", order);
    return 0;
}
