#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#define APART __attribute__((noinline))
struct node { struct node *next; unsigned value; };
APART static unsigned mixed(unsigned x) { x ^= x << 13; x ^= x >> 17; return x ^ x << 5; }
APART static double harmonic(int n) {
    double sum = 0;
    for (int i = 1; i <= n; i++) sum += 1.0 / i;
    return sum;
}
APART static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
APART static void push(struct node **list, unsigned value) {
    struct node *node = malloc(sizeof *node);
    *node = (struct node){*list, value};
    *list = node;
}
APART static unsigned pop(struct node **list) {
    struct node *node = *list;
    unsigned value = node->value;
    *list = node->next;
    free(node);
    return value;
}
APART static unsigned once(void) { return mixed(42); }
static void work(const char *who) {
    unsigned x = once(), sum = 0;
    struct node *list = NULL;
    for (int i = 0; i < 3000; i++) push(&list, x = mixed(x));
    while (list) sum = sum * 31 + pop(&list);
    double all = 0;
    for (int i = 0; i < 300; i++) all += harmonic(1000 + i);
    printf("%s %u %.9f %d\n", who, sum, all, fibonacci(20));
    fflush(stdout);
}
int main(int argc, char **argv) {
    work("first");
    if (argc > 1) {
        pid_t child = fork();
        if (child == 0) {
            work("child");
            exit(0);
        }
        waitpid(child, NULL, 0);
    }
    work("again");
    return 0;
}
