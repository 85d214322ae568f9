// Runs a function often until the file `asked` is there, which tells that something is asked for, and forks then.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline))
APART static unsigned long hot(unsigned long x) {
    for (int i = 0; i < 50; i++) x = x * 31 + (x >> 3) + i;
    return x;
}
APART static unsigned long other(unsigned long x) {
    for (int i = 0; i < 50; i++) x = x * 17 + (x >> 5) + i;
    return x;
}
static unsigned long work(unsigned long x) {
    for (int i = 0; i < 3000; i++) x = hot(x) ^ other(x + i);
    return x;
}

int main(void) {
    unsigned long x = 0;
    do x = work(1); while (access("asked", F_OK) != 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("child %lx\n", work(x));
        exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("parent %lx %d\n", work(x), WEXITSTATUS(status));
    return 0;
}
