// The first lazy function of the process is a signal handler, and interrupts malloc, which cannot be entered twice.
//# plain: main.c
//# linkers: lld
//# prints: sigaction: handled 1 times
//# prints: signal: handled 1 times
//# lazy: handler handler_with_details
#include <signal.h>
#include <string.h>

volatile sig_atomic_t handled;
static int one(const char *text) { return (int)strlen(text); }
void handler(int number) { handled += number == SIGUSR1 ? one("1") : 100; }
void handler_with_details(int number, siginfo_t *details, void *context) {
    (void)context;
    handled += number == details->si_signo ? one("1") : 100;
}
