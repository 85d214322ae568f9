// Numeric kernels with one hot loop each, all in main, which is called once: they are as quick as their plain build only if
// loops that are running are continued in optimised code.
//
//   clang-22 -O2 -g [-fpass-plugin=…/autojit.so] kernels.c -o kernels
//   AUTOJIT_TIER=on AUTOJIT_CACHE_DIR=$(mktemp -d) LD_PRELOAD=…/libautojit.so ./kernels KIND SIZE
//
// docs/decisions/0056 has: 0 1500000, 1 6000, 2 30000000, 3 1500, 4 8000000.
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: kernels KIND SIZE\n");
        return 2;
    }
    int kind = atoi(argv[1]);
    long n = atol(argv[2]);
    if (kind == 0) { // sums
        double sum = 0;
        for (long i = 0; i < n; i++)
            for (long j = 0; j < 1000; j++) sum += 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
        printf("%.9f\n", sum);
    } else if (kind == 1) { // Mandelbrot
        long inside = 0;
        for (long y = 0; y < n; y++)
            for (long x = 0; x < n; x++) {
                double cr = 2.0 * x / n - 1.5, ci = 2.0 * y / n - 1, zr = 0, zi = 0;
                int k = 0;
                for (; k < 50 && zr * zr + zi * zi < 4; k++) {
                    double next = zr * zr - zi * zi + cr;
                    zi = 2 * zr * zi + ci;
                    zr = next;
                }
                inside += k == 50;
            }
        printf("%ld\n", inside);
    } else if (kind == 2) { // sieve
        unsigned char *prime = calloc(n + 1, 1);
        long count = 0;
        for (int round = 0; round < 10; round++) {
            count = 0;
            for (long i = 2; i <= n; i++) prime[i] = 1;
            for (long i = 2; i <= n; i++)
                if (prime[i]) {
                    count++;
                    for (long j = 2 * i; j <= n; j += i) prime[j] = 0;
                }
        }
        printf("%ld\n", count);
    } else if (kind == 3) { // matrix product
        double *a = malloc(n * n * 8), *b = malloc(n * n * 8), *c = calloc(n * n, 8), total = 0;
        for (long i = 0; i < n * n; i++) a[i] = i % 7, b[i] = i % 11;
        for (long i = 0; i < n; i++)
            for (long k = 0; k < n; k++) {
                double factor = a[i * n + k];
                for (long j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
            }
        for (long i = 0; i < n * n; i++) total += c[i];
        printf("%.0f\n", total);
    } else { // Collatz
        long best = 0, at = 0;
        for (long i = 1; i < n; i++) {
            long x = i, length = 0;
            while (x != 1) x = x & 1 ? 3 * x + 1 : x / 2, length++;
            if (length > best) best = length, at = i;
        }
        printf("%ld %ld\n", at, best);
    }
    return 0;
}
