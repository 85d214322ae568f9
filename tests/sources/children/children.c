// Child programs that are not lazy, started in every way, run as ever, though the runtime is preloaded into them.
//# prints: system 3
//# prints: popen from a shell
//# prints: spawned 0
//# prints: vfork 4
//# prints: executed 5
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : -1; }

int main(void) {
    printf("system %d\n", code(system("exit 3")));
    char line[64] = "";
    FILE *pipe = popen("echo from a shell", "r");
    if (fgets(line, sizeof line, pipe)) printf("popen %s", line);
    pclose(pipe);
    pid_t pid;
    int status;
    posix_spawn(&pid, "/bin/true", NULL, NULL, (char *[]){"true", NULL}, environ);
    waitpid(pid, &status, 0);
    printf("spawned %d\n", code(status));
    fflush(stdout);
    if ((pid = vfork()) == 0) {
        execl("/bin/sh", "sh", "-c", "exit 4", (char *)NULL);
        _exit(100);
    }
    waitpid(pid, &status, 0);
    printf("vfork %d\n", code(status));
    fflush(stdout);
    if ((pid = fork()) == 0) {
        execl("/bin/sh", "sh", "-c", "exit 5", (char *)NULL);
        _exit(100);
    }
    waitpid(pid, &status, 0);
    printf("executed %d\n", code(status));
    return 0;
}
