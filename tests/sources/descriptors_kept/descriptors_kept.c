// First calls open no descriptor that the program could see, and leave errno, the signal mask, the signal stack, the
// rounding mode and the precision of the x87 unit as they are.
//# link: -lm
//# linkers: bfd
//# prints: first 3 second 4 third 5
//# prints: kept: errno 1 mask 1 altstack 1 mxcsr 1 x87 1 flags 1
//# prints: upwards 1 downwards 1
//# prints: no children 1
//# lazy: cold_a cold_b cold_c up down extended
//# dynamic: the connection with autojitd is a descriptor
//# refuses: inline assembly
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int cold_a(int x) { return x + 1; }
int cold_b(int x) { return x * 3; }
int cold_c(double x) { return (int)(x * 2); }
double up(double x) { return x / 3; }
double down(double x) { return x / 7; }
long double extended(long double x) { return x / 3; }

/// Prints what /proc/self/fd lists, without the descriptor that reads it, and without connections with autojitd, which
/// have high numbers.
static void list(const char *when) {
    const char *mode = getenv("AUTOJIT_MODE");
    int most = mode && !strcmp(mode, "daemon") ? 984 : 1 << 20;
    DIR *directory = opendir("/proc/self/fd");
    printf("%s:", when);
    for (struct dirent *entry; (entry = readdir(directory));)
        if (*entry->d_name != '.' && atoi(entry->d_name) != dirfd(directory) && atoi(entry->d_name) < most) printf(" %s", entry->d_name);
    puts("");
    closedir(directory);
}

static unsigned mxcsr(void) {
    unsigned word;
    __asm__ volatile("stmxcsr %0" : "=m"(word));
    return word;
}
static unsigned short x87(void) {
    unsigned short word;
    __asm__ volatile("fnstcw %0" : "=m"(word));
    return word;
}
static void set_x87(unsigned short word) { __asm__ volatile("fldcw %0" ::"m"(word)); }
static char stack[65536];

int main(void) {
    list("at the start");
    int first = open("/dev/null", O_RDONLY);
    int a = cold_a(1);
    int second = open("/dev/null", O_RDONLY);
    list("in between");
    a += cold_b(2);
    int third = open("/dev/null", O_RDONLY);
    printf("first %d second %d third %d\n", first, second, third);

    sigset_t mask, after;
    stack_t before = {.ss_sp = stack, .ss_size = sizeof stack}, later;
    sigaltstack(&before, NULL);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGRTMIN + 3);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    fesetround(FE_UPWARD);
    feraiseexcept(FE_DIVBYZERO);
    set_x87((unsigned short)((x87() & ~0x300) | 0x200));
    unsigned vector = mxcsr();
    unsigned short control = x87();
    errno = 4711;
    a += cold_c(1);
    int error = errno;
    sigprocmask(SIG_SETMASK, NULL, &after);
    sigaltstack(NULL, &later);
    printf("kept: errno %d mask %d altstack %d mxcsr %d x87 %d flags %d\n", error == 4711,
           memcmp(&mask, &after, 8) == 0, later.ss_sp == stack && later.ss_size == sizeof stack && later.ss_flags == 0,
           mxcsr() == vector, x87() == control, fetestexcept(FE_ALL_EXCEPT) == FE_DIVBYZERO);

    // 64-bit precision again, and a rounding mode that a first call must compute with.
    set_x87((unsigned short)(x87() | 0x300));
    volatile double one = 1;
    volatile long double long_one = 1;
    double x = up(one);
    long double y = extended(long_one);
    fesetround(FE_DOWNWARD);
    double z = down(one);
    fesetround(FE_TONEAREST);
    printf("%a %La %a\n", x, y, z);
    printf("upwards %d downwards %d\n", x * 3 > 1 - 1e-9 && x > one / 3 - 1e-17, z < 1 / 6.9);
    int status, none = wait(&status) == -1 && errno == ECHILD;
    printf("no children %d\n", none);
    list("at the end");
    return a == 10 ? 0 : a;
}
