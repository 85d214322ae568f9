/* "enter HOW PROGRAM ARGUMENT...": becomes the program in a directory that was deleted, or whose path is longer than any
   system call takes. "here": says whether the path of the working directory is known, and calls a function. */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int sum(int x) { return x ? x + sum(x - 1) : 0; }

static int enter(const char *how) {
    char name[201], place[] = "directory-XXXXXX";
    if (!mkdtemp(place) || chdir(place)) return -1;
    if (!strcmp(how, "deleted")) {
        snprintf(name, sizeof name, "../%s", place);
        return rmdir(name);
    }
    memset(name, 'd', 200);
    name[200] = 0;
    for (int length = 0; length < 2 * PATH_MAX; length += 200)
        if (mkdir(name, 0700) || chdir(name)) return -1;
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 3 && !strcmp(argv[1], "enter")) {
        if (enter(argv[2]) == 0) execv(argv[3], argv + 3);
        perror(argv[3]);
        return 1;
    }
    char path[PATH_MAX];
    printf("%d %d\n", syscall(SYS_getcwd, path, sizeof path) < 0, sum(5));
    return 0;
}
