// See handler_in_malloc.c.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern volatile sig_atomic_t handled;
void handler(int), handler_with_details(int, siginfo_t *, void *);

static _Alignas(16) char heap[8 << 20];
static size_t used;
static int inside, armed;

void *malloc(size_t size) {
    if (inside++) _exit(99);
    if (armed) armed = 0, raise(SIGUSR1);
    void *result = heap + used;
    used += (size + 31) & ~(size_t)15;
    if (used > sizeof heap) _exit(98);
    inside--;
    return result;
}
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return memset(malloc(count * size), 0, count * size); }
void *realloc(void *block, size_t size) {
    void *result = malloc(size);
    return block ? memmove(result, block, size) : result;
}
void *aligned_alloc(size_t alignment, size_t size) {
    used = (used + alignment - 1) & ~(alignment - 1);
    return malloc(size);
}
void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) { return (*block = aligned_alloc(alignment, size)) == NULL; }

int main(void) {
    // Thread-specific values of later keys make the C library allocate.
    pthread_key_t key;
    for (int i = 0; i < 40; i++) pthread_key_create(&key, NULL);
    static const char *const names[] = {"sigaction", "signal"};
    for (int way = 0; way < 2; way++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            switch (way) {
            case 0: sigaction(SIGUSR1, &(struct sigaction){.sa_sigaction = handler_with_details, .sa_flags = SA_SIGINFO}, NULL); break;
            case 1: signal(SIGUSR1, handler); break;
            }
            armed = 1;
            void *volatile block = malloc(10);
            _exit(block ? handled : 97);
        }
        waitpid(child, &status, 0);
        printf("%s: handled %d times\n", names[way], WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    }
    handler(SIGUSR1);
    return 0;
}
