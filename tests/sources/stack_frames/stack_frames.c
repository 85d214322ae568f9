// Frames of all shapes: variable length, alloca, over-aligned, a megabyte, cleanup functions, nested blocks.
//# flags: -fstack-protector-all
//# prints: variable 4950
//# prints: alloca abcabc
//# prints: aligned 1 1
//# prints: megabyte 7
//# prints: cleanup 2 1
#include <alloca.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int variable(int n) {
    int values[n], sum = 0;
    for (int i = 0; i < n; i++) values[i] = i;
    for (int i = 0; i < n; i++) sum += values[i];
    return sum;
}
void doubled(const char *text, char *out) {
    char *copy = alloca(2 * strlen(text) + 1);
    strcpy(copy, text);
    strcat(copy, text);
    strcpy(out, copy);
}
int aligned(int boundary) {
    _Alignas(64) volatile char a[10];
    _Alignas(4096) volatile char b[10];
    a[0] = b[0] = 1;
    return boundary == 64 ? (uintptr_t)a % 64 == 0 : (uintptr_t)b % 4096 == 0;
}
int megabyte(int x) {
    volatile char large[1 << 20];
    large[0] = (char)x;
    large[sizeof large - 1] = 3;
    return large[0] + large[sizeof large - 1];
}
static void print(const int *value) { printf(" %d", *value); }
static void cleanup(void) {
    __attribute__((cleanup(print))) int first = 1;
    __attribute__((cleanup(print))) int second = 2;
    printf("cleanup");
}

int main(void) {
    char out[16];
    printf("variable %d\n", variable(100));
    doubled("abc", out);
    printf("alloca %s\n", out);
    printf("aligned %d %d\n", aligned(64), aligned(4096));
    printf("megabyte %d\n", megabyte(4));
    cleanup();
    printf("\n");
    return 0;
}
