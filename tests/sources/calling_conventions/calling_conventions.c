// Calling conventions in which other registers are live at a first call.
//# prints: ms 45 36.0
//# prints: preserve_most 11 21 31 41
//# prints: preserve_all 6 kept 36.0
//# prints: tail 5000050000
//# prints: regcall 78
//# refuses: conventions that are not C's
#include <stdio.h>

__attribute__((ms_abi)) int ms(int a, int b, int c, int d, int e, int f, int g, int h, int i) {
    return a + b + c + d + e + f + g + h + i;
}
__attribute__((ms_abi)) double ms_doubles(double a, int b, double c, int d, double e, double f) {
    return a + b + c + d + e + f;
}
__attribute__((preserve_most)) long most(long a, long b, long c, long d) { return a + b + c + d; }
__attribute__((preserve_all)) double all(double a, double b, double c) { return a + b + c; }
__attribute__((regcall)) int many(int a, int b, int c, int d, int e, int f, int g, int h, int i, int j, int k, int l) {
    return a + b + c + d + e + f + g + h + i + j + k + l;
}
static long count(long n, long sum);
static long count_other(long n, long sum) { __attribute__((musttail)) return count(n, sum); }
static long count(long n, long sum) {
    if (!n) return sum;
    __attribute__((musttail)) return count_other(n - 1, sum + n);
}

int main(void) {
    printf("ms %d %.1f\n", ms(1, 2, 3, 4, 5, 6, 7, 8, 9), ms_doubles(1, 2, 3, 4, 5, 21));
    volatile long v = 1;
    long a = v * 11, b = v * 21, c = v * 31, d = v * 41;
    long sum = most(1, 2, 3, 4);
    printf("preserve_most %ld %ld %ld %ld\n", a, b, c, sum == 10 ? d : -1);
    volatile double w = 1;
    double e = w * 1, f = w * 2, g = w * 33;
    double kept = all(1, 2, 3);
    printf("preserve_all %.0f kept %.1f\n", kept, e + f + g);
    printf("tail %ld\n", count(100000, 0));
    printf("regcall %d\n", many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
    return 0;
}
