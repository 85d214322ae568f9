// abort in a lazy function ends the program with its signal.
//# prints: before
//# exit: signal 6
#include <stdio.h>
#include <stdlib.h>

static void give_up(void) { abort(); }

int main(void) {
    puts("before");
    fflush(stdout);
    give_up();
    return 0;
}
