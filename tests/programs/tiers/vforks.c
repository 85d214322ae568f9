/* Children that share the program's memory close all descriptors, as those do that start other programs, and run what counts. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile unsigned sum;

#define FUNCTION(name) __attribute__((noinline)) static unsigned name(unsigned x) { return x * 2654435761u ^ x >> (name##_by); }
enum { before_by = 3, first_by, second_by, third_by, fourth_by, afterwards_by };
FUNCTION(before)
FUNCTION(first)
FUNCTION(second)
FUNCTION(third)
FUNCTION(fourth)
FUNCTION(afterwards)
static unsigned (*const within[])(unsigned) = {first, second, third, fourth};

static void work(unsigned (*function)(unsigned), unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++) sum += function(i);
}

int main(void) {
    /* Long enough for a daemon to be looked for, and asked. */
    for (int n = 0; n < 200; n++) {
        work(before, 1000);
        usleep(1000);
    }
    for (int n = 0; n < 4; n++) {
        pid_t child = vfork();
        if (child == 0) {
            for (int descriptor = 3; descriptor < 1100; descriptor++) close(descriptor);
            work(within[n], 2000);
            _exit(0);
        }
        int status;
        if (waitpid(child, &status, 0) != child || status) return 1;
    }
    work(afterwards, 300000);
    printf("%u\n", sum);
    return 0;
}
