// AVX-512: vectors of 64 bytes as arguments and results of first calls, up to 16 registers of them, and live in the
// registers that callees preserve in one convention. Says so where the processor has none: main has no
// vector code. The compiler's flag, unlike an attribute, decides that such arguments go into registers.
//# sources: wide_callees.c
//# mix
//# flags: -mavx512f -mavx512bw -mavx512vl
//# linkers: lld
//# prints: compared
//# lazy: with_avx512
//# refuses: with avx512vl: vectors that AVX-512 passes in larger registers
#include <stdio.h>
#include <stdlib.h>

#include "wide_vectors.h"

static void expect(const char *what, v8df v, double first, double last) {
    printf("%s %.1f %.1f\n", what, v[0], v[7]);
    if (v[0] != first || v[7] != last) exit(1);
}

__attribute__((noinline)) void with_avx512(void) {
    v8df one = {1, 0, 0, 0, 0, 0, 0, 8}, two = one + one;
    expect("sum", sum(one, two), 3, 24);
    expect("eight", eight(one, one, one, one, two, two, two, two), 12, 96);
    expect("overflowing", ten(one, one, one, one, two, two, two, two, one, two), 15, 120);
    expect("variadic", variadic(3, one, two, two), 5, 40);
    expect("structure", structure((struct v){two, 3}).a, 6, 48);
    expect("sixteen", sixteen(one, one, one, one, one, one, one, one, two, two, two, two, two, two, two, two), 24, 192);
    // Nine vectors that live across a call to a callee that preserves the upper sixteen registers.
    volatile v8df source = one;
    v8df a = source, b = source * 2, c = source * 3, d = source * 4, e = source * 5;
    v8df f = preserving(two);
    expect("preserved", a + b + c + d + e + f, 17, 136);
    expect("through a pointer", pointer_to_sum()(two, two), 4, 32);
}

int main(void) {
    printf("%d callees\n", callees());
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        with_avx512();
    else puts("skipped: the processor has no AVX-512");
    puts("compared");
    return 0;
}
