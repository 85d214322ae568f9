#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
unsigned f0(unsigned);
__attribute__((noinline)) unsigned last(unsigned x) { return x * 3; }
__attribute__((noinline)) static unsigned work(unsigned rounds) {
    unsigned sum = 0;
    for (unsigned i = 0; i < rounds; i++) sum = sum * 31 + f0(i);
    return sum;
}
int main(int argc, char **argv) {
    unsigned rounds = atoi(argv[1]);
    printf("%u\n", work(rounds));
    if (argc > 2 && argv[2][0] == 'p') {
        usleep(50000);
        printf("%u\n", work(rounds + 1));
    } else if (argc > 2) {
        fflush(stdout);
        pid_t child = fork();
        if (child != 0) waitpid(child, NULL, 0);
        printf("%u\n", work(rounds + 1));
    }
    return 0;
}
