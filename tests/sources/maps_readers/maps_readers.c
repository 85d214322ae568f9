// What symbolizers do that look code up in /proc/self/maps (Abseil's, glog's): they open the file of each mapping that
// is readable and executable, and complain if they cannot.
//# sources: called.c
//# prints: 42, without complaints
//# prints: 42 in a child, without complaints
//# lazy: later deep
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int later(int), deep(int);

/* The path of a line "start-end flags offset device inode path"; none if it is the kernel's own. */
static char *path_of(char *line) {
    line[strcspn(line, "\n")] = 0;
    char *path = strchr(line, '/');
    return path && !strchr(line, '[') ? path : NULL;
}

static int complaints(void) {
    char line[4096];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
        char *flags = strchr(line, ' ') + 1, *path = path_of(line);
        if (flags[0] != 'r' || flags[2] != 'x' || !path) continue;
        int file = open(path, O_RDONLY);
        if (file < 0) {
            fprintf(stderr, "%s: open failed\n", path);
            count++;
        } else {
            close(file);
        }
    }
    fclose(maps);
    return count;
}

static void report(int result, const char *where) {
    printf("%d%s, %s complaints\n", result, where, complaints() ? "with" : "without");
    fflush(stdout);
}

int main(void) {
    report(deep(20), "");
    if (fork() == 0) {
        /* New code, in pages of its own. */
        report(later(41), " in a child");
        _exit(0);
    }
    wait(NULL);
    return later(0) - 1;
}
