// Prints its stack as its own reader finds it (reader.c), then does what its argument says.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void print_stack(void);
/* Not all readers have it. */
__attribute__((weak)) void print_name_of(const void *function);

/* Its address is all that is taken. */
static int own(int n) { return n * 2; }

__attribute__((noinline)) int deep(int n) {
    print_stack();
    return n + 1;
}

__attribute__((noinline)) int middle(int n) { return deep(n) + 1; }

__attribute__((noinline)) int later(int n) {
    print_stack();
    return n + 2;
}

/* In a child: a function that the parent has not called yet. */
static int child_of(int child) {
    if (child == 0) {
        int result = later(1) + middle(1);
        fflush(stdout);
        _exit(result);
    }
    int status;
    waitpid(child, &status, 0);
    printf("child %d\n", status >> 8);
    return later(0);
}

/* A child that shares the memory. */
static int of_vfork(void) {
    int child = vfork();
    if (child == 0) {
        later(1);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    return later(0);
}

int main(int argc, char **argv) {
    const char *then = argc > 1 ? argv[1] : "";
    int result = middle(argc);
    fflush(stdout);
    if (!strcmp(then, "fork")) return child_of(fork()) - 2;
    if (!strcmp(then, "clone")) return child_of(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)) - 2;
    if (!strcmp(then, "vfork")) return of_vfork() - 2;
    if (!strcmp(then, "exec")) return execl("/proc/self/exe", argv[0], "pause", NULL);
    if (!strcmp(then, "address")) print_name_of((const void *)own);
    if (!strcmp(then, "abort")) abort();
    if (!strcmp(then, "_exit")) _exit(0);
    if (!strcmp(then, "pause")) {
        printf("pid %d\n", getpid());
        fflush(stdout);
        pause();
    }
    if (!strcmp(then, "spin"))
        for (volatile long i = 0; i < 400000000; i++)
            ;
    return result - argc - 2;
}
