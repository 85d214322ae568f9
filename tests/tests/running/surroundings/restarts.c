#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static int choose(int n) { return n + 1; }
int main(int argc, char **argv) {
    if (argc > choose(1)) { puts("started again"); return 5; }
    if (argc > 1) unsetenv("LD_PRELOAD");
    execl("/proc/self/exe", argv[0], "again", "and again", (char *)0);
    return 1;
}
