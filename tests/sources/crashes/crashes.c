// A fault in a lazy function is the program's own: the same signal, nothing on stderr.
//# prints: before
//# exit: signal 11
#include <stdio.h>

int *volatile nowhere;

static int crash(void) { return *nowhere; }

int main(void) {
    puts("before");
    fflush(stdout);
    return crash();
}
