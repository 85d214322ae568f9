// Recursion and mutual recursion: the first call of a function is still running when it calls itself.
//# prints: ackermann 125
//# prints: even 1 odd 0
//# prints: depth 20000
//# prints: hanoi 1023
//# lazy: ackermann is_even is_odd
#include <stdio.h>

int ackermann(int m, int n) {
    if (!m) return n + 1;
    return n ? ackermann(m - 1, ackermann(m, n - 1)) : ackermann(m - 1, 1);
}

int is_odd(int n);
int is_even(int n) { return n == 0 ? 1 : is_odd(n - 1); }
int is_odd(int n) { return n == 0 ? 0 : is_even(n - 1); }

static int depth(int n) {
    volatile int here = n;
    return here ? depth(n - 1) + 1 : 0;
}

static int moves;
static void hanoi(int n, int from, int to, int over) {
    if (!n) return;
    hanoi(n - 1, from, over, to);
    moves++;
    hanoi(n - 1, over, to, from);
}

int main(void) {
    printf("ackermann %d\n", ackermann(3, 4));
    printf("even %d odd %d\n", is_even(100), is_odd(100));
    printf("depth %d\n", depth(20000));
    hanoi(10, 1, 3, 2);
    printf("hanoi %d\n", moves);
    return 0;
}
