// Frames that -fstack-protector guards: writing beyond a variable ends the program when the function returns, also in code
// that was made without an optimiser. The options that say how to optimise do not keep functions from that.
//# flags: -fstack-protector-strong -fno-unroll-loops -fno-vectorize
//# levels: standard o1 os
//# linkers: lld
//# prints: 45 10
//# prints: ended by signal 6
//# lazy: main fill counted
//# stats: compiled >= 3
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define APART __attribute__((noinline))
static volatile int zero;

APART static void set(volatile char *at, int count) {
    for (int i = 0; i < count; i++) at[i] = (char)(i + zero);
}

APART int fill(int count) {
    volatile char held[10];
    set(held, count);
    int sum = 0;
    for (int i = 0; i < 10; i++) sum += held[i];
    return sum;
}

APART int counted(const char *text) {
    char copy[64];
    strncpy(copy, text, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    return (int)strlen(copy);
}

int main(void) {
    printf("%d %d\n", fill(10), counted("characters"));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        // The message of the C library goes to the terminal, if there is one.
        close(2);
        fill(10 + 40);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return 0;
}
