// Children of every kind make first calls: many at once, of vfork, of raw system calls, of a daemon's double fork, and
// with another program's image.
//# linkers: bfd
//# prints: 500 children, 500 good
//# prints: vforked 7
//# prints: spawned 8
//# prints: raw clone 9
//# prints: daemon 10 in a session of its own 1
//# prints: executed with the runtime 11
//# prints: a plain program without it 0
//# prints: left over 0
//# args: main
//# lazy: child_work in_vfork in_spawned in_clone in_daemon in_executed
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
int child_work(int x) { return x % 7; }
int in_vfork(int x) { return x + 7; }
int in_spawned(int x) { return x + 8; }
int in_clone(int x) { return x + 9; }
int in_daemon(int x) { return x + 10; }
int in_executed(int x) { return x + 11; }

static int reap(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

static void many(void) {
    enum { CHILDREN = 500, AT_ONCE = 20 };
    pid_t children[AT_ONCE];
    int good = 0;
    for (int first = 0; first < CHILDREN; first += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++) {
            children[i] = fork();
            if (children[i] == 0) _exit(child_work(first + i));
        }
        for (int i = 0; i < AT_ONCE; i++) good += reap(children[i]) == (first + i) % 7;
    }
    printf("%d children, %d good\n", CHILDREN, good);
}

static void daemonise(void) {
    int ends[2];
    struct { pid_t session, self; int value; } report = {0};
    if (pipe(ends)) return;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        if (fork()) _exit(0);
        if (chdir("/")) _exit(1);
        close(0), close(1), close(2);
        report.session = getsid(0), report.self = getppid(), report.value = in_daemon(0);
        _exit(write(ends[1], &report, sizeof report) != sizeof report);
    }
    reap(child);
    close(ends[1]);
    ssize_t length = read(ends[0], &report, sizeof report);
    printf("daemon %d in a session of its own %d\n", report.value, length == sizeof report && report.session == child);
    close(ends[0]);
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "spawned")) _exit(in_spawned(0));
    if (argc > 1 && !strcmp(argv[1], "executed")) _exit(in_executed(0));
    many();

    pid_t child = vfork();
    if (child == 0) _exit(in_vfork(0));
    printf("vforked %d\n", reap(child));

    char *spawned[] = {"program", "spawned", NULL};
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, spawned, environ)) return 1;
    printf("spawned %d\n", reap(child));

    child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(in_clone(0));
    printf("raw clone %d\n", reap(child));
    daemonise();

    fflush(stdout);
    child = fork();
    if (child == 0) execl("/proc/self/exe", "program", "executed", NULL), _exit(99);
    printf("executed with the runtime %d\n", reap(child));
    child = fork();
    if (child == 0) execle("/bin/true", "true", NULL, (char *[]){NULL}), _exit(99);
    printf("a plain program without it %d\n", reap(child));
    int left = waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD;
    printf("left over %d\n", left);
    return 0;
}
