// Thread-local variables of this file, another file and a library, in two threads.
//# sources: locals.c
//# library: library_locals.c
//# link: -pthread
//# prints: main 1 12 103 1004
//# prints: thread 2 14 106 1008
//# prints: main again 2 13 104 1005
#include <pthread.h>
#include <stdio.h>

static __thread int in_function_file = 0;
extern __thread int in_other_file;
extern __thread int in_library;

int next_static(int step) { return in_function_file += step; }
int next_local(int step) {
    static __thread int local = 1000;
    return local += step + 3 * (local == 1000) * step;
}
int next_hidden(int step);

static void *count(void *step) {
    int s = *(int *)step, a = next_static(s), b = in_other_file += s, c = next_hidden(s);
    printf("%s %d %d %d %d\n", s == 2 ? "thread" : a == 1 ? "main" : "main again", a, b + (in_library += s), c,
           next_local(s));
    return NULL;
}

int main(void) {
    pthread_t thread;
    int one = 1, two = 2;
    count(&one);
    fflush(stdout);
    pthread_create(&thread, NULL, count, &two);
    pthread_join(thread, NULL);
    in_library--;
    count(&one);
    return 0;
}
