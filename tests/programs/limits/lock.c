/* Locks its memory as the arguments say ("current", "future", "onfault"), after some of its functions were called and
   before others are. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int first(int x) { return x + 1; }
static int second(int x) { return x * 3; }
static int third(int x) {
    char text[20];
    snprintf(text, sizeof text, "%d", x);
    return (int)strlen(text);
}
/* Not called by name: the compiler would take them along. */
static int (*volatile functions[])(int) = {first, second, third};

static int is_locked(void) {
    char line[200];
    long locked = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, status)) sscanf(line, "VmLck: %ld", &locked);
    fclose(status);
    return locked > 0;
}

int main(int argc, char **argv) {
    int flags = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "current")) flags |= MCL_CURRENT;
        if (!strcmp(argv[i], "future")) flags |= MCL_FUTURE;
        if (!strcmp(argv[i], "onfault")) flags |= MCL_ONFAULT;
    }
    char *before = malloc(100000);
    errno = 0;
    int before_call = functions[0](argc);
    int result = mlockall(flags);
    printf("%d %d: %s\n", before_call, result, strerror(errno));
    char *after = malloc(300000);
    memset(after, 1, 300000);
    printf("%d %d %d\n", functions[1](before ? 2 : 0), functions[2](after[299999] * 12345), is_locked());
    printf("%d %d\n", munlockall(), is_locked());
    return 0;
}
