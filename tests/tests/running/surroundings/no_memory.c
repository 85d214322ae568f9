#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

static void handler(int number) { _exit(number); }

int main(void) {
    void (*lacks)(unsigned long, unsigned long) =
        (void (*)(unsigned long, unsigned long))dlsym(RTLD_DEFAULT, "__autojit_out_of_memory");
    signal(SIGABRT, handler);
    if (lacks) lacks(4711, 8);
    return 1;
}
