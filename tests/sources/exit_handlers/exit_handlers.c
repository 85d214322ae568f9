// Functions that run at exit are compiled at exit; the exit status is theirs to keep.
//# prints: leaving main
//# prints: second handler 14
//# prints: first handler, status 3
//# prints: destructor
//# exit: 3
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>

static void first(int status, void *text) { printf("%s, status %d\n", (const char *)text, status); }
int only_at_exit(int x) { return x + 7; }
static void second(void) { printf("second handler %d\n", only_at_exit(7)); }
__attribute__((destructor)) static void destructor(void) { puts("destructor"); }

int main(void) {
    on_exit(first, "first handler");
    atexit(second);
    puts("leaving main");
    exit(3);
}
