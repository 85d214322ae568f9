#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#define APART __attribute__((noinline))
APART static void *caller(void) { return __builtin_return_address(0); }
struct large { long words[5]; };
APART static struct large where(long a, double b, long c, long d, long e, long f, long g, long h, double i) {
    return (struct large){{(long)caller(), a + c, d + e + f, g - h, (long)(b * i)}};
}
APART static long calls(void) {
    long first = 0;
    time_t end = time(NULL) + 60;
    for (long round = 0; round % 1024 || time(NULL) < end; round++) {
        struct large now = where(round, 1.5, 1, 2, 3, 4, 9, 8, 4);
        if (now.words[1] != round + 1 || now.words[2] != 9 || now.words[3] != 1 || now.words[4] != 6) return -1;
        if (first == 0) first = now.words[0];
        if (first != now.words[0]) return 1;
    }
    return 0;
}
int main(int argc, char **argv) {
    where(0, 0, 0, 0, 0, 0, 0, 0, 0);
    if (argc > 1) {
        pid_t child = fork();
        if (child != 0) {
            int status = 0;
            waitpid(child, &status, 0);
            return WEXITSTATUS(status);
        }
    }
    printf("%ld\n", calls());
    return 0;
}
