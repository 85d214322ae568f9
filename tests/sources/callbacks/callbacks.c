// The C library calls lazy functions: qsort, bsearch, twalk, a cookie stream, a thread start routine.
//# link: -pthread
//# prints: 1 2 3 5 8 13
//# prints: found 8
//# prints: tree 1 2 3
//# prints: cookie hello
//# prints: thread 49
#define _GNU_SOURCE
#include <pthread.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void visit(const void *node, VISIT order, int level) {
    (void)level;
    if (order == postorder || order == leaf) printf(" %d", **(const int *const *)node);
}

static ssize_t write_cookie(void *cookie, const char *text, size_t length) {
    strncat(cookie, text, length);
    return (ssize_t)length;
}

static void *square(void *x) { return (void *)((long)x * (long)x); }

int main(void) {
    int numbers[] = {13, 1, 8, 3, 5, 2}, key = 8;
    qsort(numbers, 6, sizeof *numbers, compare);
    for (int i = 0; i < 6; i++) printf("%d%c", numbers[i], i == 5 ? '\n' : ' ');
    printf("found %d\n", *(int *)bsearch(&key, numbers, 6, sizeof *numbers, compare));
    void *tree = NULL;
    for (int i = 0; i < 3; i++) tsearch(&numbers[i], &tree, compare);
    printf("tree");
    twalk(tree, visit);
    char buffer[64] = "";
    FILE *stream = fopencookie(buffer, "w", (cookie_io_functions_t){.write = write_cookie});
    fputs("hello", stream);
    fclose(stream);
    printf("\ncookie %s\n", buffer);
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, square, (void *)7);
    pthread_join(thread, &result);
    printf("thread %ld\n", (long)result);
    return 0;
}
