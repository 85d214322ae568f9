#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static volatile int signals;
static void note(int signal) { signals += signal; }
int twice(int x) { return 2 * x; }
int sum(int n) { return n ? n + sum(n - 1) : 0; }
static int engines(void) {
    char line[4096];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) count += strstr(line, "libautojit-engine") != NULL;
    fclose(maps);
    return count;
}
int main(int argc, char **argv) {
    signal(SIGCHLD, note);
    signal(SIGPIPE, note);
    int first = open("/dev/null", O_RDONLY);
    printf("%d %d\n", twice(argc), sum(9));
    int second = open("/dev/null", O_RDONLY);
    pid_t child = wait(NULL);
    printf("%d %d %d %d %d\n", first, second, child, errno == ECHILD, signals);
    if (argc > 1) printf("%s\n", engines() ? "compiles" : "has no compiler");
    return 0;
}
