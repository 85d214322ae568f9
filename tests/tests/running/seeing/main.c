#include <stdio.h>
#include <unistd.h>
#include <sys/wait.h>
int helper(int);
__attribute__((noinline)) static int twice(int x) { return 2 * x; }
int in_child(void) { return 0; }
int idle(void) { return 1; }
int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1 && fork() == 0) return in_child();
    wait(NULL);
    printf("%d\n", twice(helper(20)));
    return 0;
}
