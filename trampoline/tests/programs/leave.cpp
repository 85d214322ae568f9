// A program whose functions run inside the resolver, and some try to leave it without returning: tests/cdylib.rs.
#include <csignal>
#include <cstdio>
#include <pthread.h>

extern "C" {
int lazy_target(int);
static int body_target(int a) { return a + 1; }
extern void *const bodies[];
void *const bodies[] = {(void *)body_target};

void throws() { throw 1; }
void exits_thread() { pthread_exit(nullptr); }
void stops_here() { asm volatile("" ::: "memory"); }
}

// In static memory, and so below all stacks of the resolver, if the program is not position-independent.
static char low_stack[32 << 10];

static void handler(int) { std::printf("%d\n", lazy_target(1)); }

int main(int count, char **) {
  if (count > 1) {
    stack_t stack = {};
    stack.ss_sp = low_stack;
    stack.ss_size = sizeof low_stack;
    sigaltstack(&stack, nullptr);
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_ONSTACK;
    sigaction(SIGUSR1, &action, nullptr);
    return raise(SIGUSR1);
  }
  try {
    std::printf("%d\n", lazy_target(41));
  } catch (int) {
    std::puts("caught");
  }
}
