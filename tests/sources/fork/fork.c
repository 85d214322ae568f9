// Parent, child and grandchild make different first calls after the fork, and do not see each other's.
//# prints: child 10 20
//# prints: parent 10 30
//# prints: grandchild 20 40
//# prints: both 50 statuses 3 4
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int before(int x) { return x * 10; }
int in_child(int x) { return x * 20; }
int in_parent(int x) { return x * 30; }
int in_grandchild(int x) { return x * 40; }
int in_both(int x) { return x * 50; }

static int wait_for(pid_t child) {
    int status;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void) {
    int first = before(1);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        printf("child %d %d\n", first, in_child(1));
        fflush(stdout);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            printf("grandchild %d %d\n", in_child(1), in_grandchild(1));
            exit(in_both(1) == 50 ? 3 : 1);
        }
        exit(wait_for(grandchild) == 3 && in_both(1) == 50 ? 4 : 1);
    }
    int child_status = wait_for(child);
    printf("parent %d %d\n", first, in_parent(1));
    printf("both %d statuses %d %d\n", in_both(1), 3, child_status);
    return 0;
}
