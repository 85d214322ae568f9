#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }
int sum(const int *numbers, int count) { return count ? *numbers + sum(numbers + 1, count - 1) : 0; }
static void *work(void *text) { return (void *)strlen(text); }
static double half(double x) { return x / 2; }
int main(int argc, char **argv) {
    int numbers[] = {5, 3, 9, 1};
    pthread_t thread;
    void *length;
    (void)argv;
    qsort(numbers, 4, sizeof *numbers, compare);
    pthread_create(&thread, NULL, work, "eleven text");
    pthread_join(thread, &length);
    printf("%d %d %ld %.1f\n", numbers[0], sum(numbers, 4), (long)length, half(5));
    fflush(stdout);
    return 3 + argc;
}
