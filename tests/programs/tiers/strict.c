// Calls functions often, all of them known by then, in a process that may make no system calls but to read, to write and to
// end (seccomp in strict mode); with an argument, without giving up the others.
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((noinline)) static unsigned long mix(unsigned long x, int rounds) {
    for (int i = 0; i < rounds; i++) x = x * 31 + (x >> 3) + i;
    return x;
}

__attribute__((noinline)) static unsigned long work(int calls, int rounds) {
    unsigned long sum = 0;
    for (int call = 0; call < calls; call++) sum ^= mix(call, rounds);
    return sum;
}

int main(int count, char **arguments) {
    (void)arguments;
    char text[64];
    // Neither its calls nor its rounds are many so far.
    unsigned long sum = work(3, 3);
    if (count == 1 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) return 1;
    for (int again = 0; again < 3000; again++) sum += work(10, 2000);
    snprintf(text, sizeof text, "%lx\n", sum);
    if (write(1, text, strlen(text)) < 0) return 2;
    if (count > 1) return 0;
    syscall(SYS_exit, 0);
}
