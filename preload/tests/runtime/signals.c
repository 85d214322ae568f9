#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int one(void), two(void), three(void), four(void), five(void);
static void wait_for(const char *what, pid_t child) {
    int status; waitpid(child, &status, 0);
    printf("%s %d\n", what, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    fflush(stdout);
}
static void handler(void) { four(); }
int main(void) {
    pid_t child;
    one();
    if (!(child = fork())) exit(three());
    wait_for("fork", child);
    if (!(child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0))) _exit(three() + 10);
    wait_for("clone", child);
    if (!(child = vfork())) _exit(two() + 20);
    wait_for("vfork", child);
    pthread_atfork(handler, handler, handler);
    if (!(child = fork())) { if (!fork()) _exit(five()); int s; wait(&s); _exit(WEXITSTATUS(s) + 30); }
    wait_for("forks", child);
    printf("parent %d\n", five());
    return 0;
}
