//# prints: 14 while a thread visits objects
//# prints: 5 bytes copied
//# lazy: sum copy
//# flags: -pthread
// A thread stays inside dl_iterate_phdr, and so keeps the loader's lock, until another one has called functions for the
// first time.
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static sem_t visiting, done;

__attribute__((noinline)) int sum(const int *values, int count) {
    int result = 0;
    for (int i = 0; i < count; i++)
        result += values[i] * values[i];
    return result;
}

struct block {
    char bytes[4096];
};

// The code generator calls memcpy for this, by a name that the file does not have.
__attribute__((noinline)) void copy(struct block *to, const struct block *from) { *to = *from; }

static void *other(void *unused) {
    static const int values[] = {1, 2, 3};
    static struct block from = {"abcde"}, to;
    sem_wait(&visiting);
    printf("%d while a thread visits objects\n", sum(values, 3));
    copy(&to, &from);
    printf("%zu bytes copied\n", strlen(to.bytes));
    sem_post(&done);
    return unused;
}

static int visit(struct dl_phdr_info *info, size_t size, void *data) {
    (void)info, (void)size, (void)data;
    sem_post(&visiting);
    sem_wait(&done);
    return 1;
}

int main(void) {
    pthread_t thread;
    alarm(60);
    sem_init(&visiting, 0, 0);
    sem_init(&done, 0, 0);
    pthread_create(&thread, NULL, other, NULL);
    dl_iterate_phdr(visit, NULL);
    pthread_join(thread, NULL);
    return 0;
}
