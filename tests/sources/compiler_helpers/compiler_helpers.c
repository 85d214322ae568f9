// Library functions that only the code generator calls: 128-bit division, quadruple precision, memory functions.
//# prints: quotient 3000000000000000000 remainder 7
//# prints: signed -1000000000000000000
//# prints: quad 2.25
//# prints: to double 3.40e+38
//# prints: copied 99 equal 1 cleared 0
//# prints: bits 32 swapped 0807060504030201
//# refuses: __float128
#include <stdio.h>

typedef unsigned __int128 u128;
typedef __int128 i128;
struct large { int values[500]; };

u128 quotient(u128 a, u128 b) { return a / b; }
u128 remainder128(u128 a, u128 b) { return a % b; }
i128 signed_quotient(i128 a, i128 b) { return a / b; }
__attribute__((noinline)) __float128 quad(__float128 a, __float128 b) { return a * b + a; }
double to_double(u128 x) { return (double)x; }
void copy(struct large *to, const struct large *from) { *to = *from; }
void clear(struct large *what) { *what = (struct large){{0}}; }
static int equal(const struct large *a, const struct large *b) { return !__builtin_memcmp(a, b, sizeof *a); }

int main(void) {
    u128 a = (u128)3000000000000000000u * 10000000000u + 7, b = 10000000000u;
    printf("quotient %lu remainder %lu\n", (unsigned long)quotient(a, b), (unsigned long)remainder128(a, b));
    printf("signed %ld\n", (long)signed_quotient(-(i128)1000000000000000000 * 1000000, 1000000));
    printf("quad %.2f\n", (double)quad(0.75, 2));
    printf("to double %.2e\n", to_double(~(u128)0));
    struct large x = {{1}}, y;
    x.values[499] = 99;
    copy(&y, &x);
    int last = y.values[499], same = equal(&x, &y);
    clear(&y);
    printf("copied %d equal %d cleared %d\n", last, same, y.values[499]);
    volatile unsigned long value = 0x0102030405060708;
    printf("bits %d swapped %016lx\n", __builtin_popcountl(0xf0f0f0f0f0f0f0f0 | (value & 0)),
           __builtin_bswap64(value));
    return 0;
}
