/* Arguments and results of all classes, many of them, and of variadic functions. */
#include "check.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <setjmp.h>

struct two { int64_t a, b; };
struct mixed { double d; int32_t i; };
struct floats { float a, b, c; };
struct large { int64_t v[5]; };
struct tiny { char c[3]; };
typedef __int128 i128;

#define NEVER __attribute__((noinline)) static

NEVER struct two make_two(int64_t a, int64_t b) { return (struct two){a + b, a - b}; }
NEVER struct mixed make_mixed(double d, int i) { return (struct mixed){d * i, i + 1}; }
NEVER struct floats make_floats(float a) { return (struct floats){a, a * 2, a * 3}; }
NEVER struct large make_large(struct large in, int by) {
    for (int i = 0; i < 5; i++) in.v[i] += by * i;
    return in;
}
NEVER struct tiny make_tiny(struct tiny in) { return (struct tiny){{in.c[2], in.c[1], in.c[0]}}; }
NEVER int64_t many(int8_t a, uint8_t b, int16_t c, uint16_t d, int e, unsigned f, int64_t g, uint64_t h, int8_t i,
    uint8_t j, int k) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k;
}
NEVER double many_doubles(double a, float b, double c, float d, double e, float f, double g, float h, double i,
    float j, int k) {
    return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k;
}
NEVER int64_t structures(struct two a, struct mixed b, struct floats c, struct large d, struct tiny e, struct two f,
    struct two g) {
    return a.a * 3 + a.b + (int64_t)b.d + b.i + (int64_t)(c.a + c.b + c.c) + d.v[4] + e.c[1] + f.b + g.a * 5;
}
NEVER i128 wide(i128 a, int64_t b, int64_t c, int64_t d, i128 e, int64_t f) { return a * b + c - d + e * f; }
NEVER _Bool truth(int a, _Bool b) { return a > 3 || b; }
NEVER int8_t narrow(int8_t a, int16_t b) { return (int8_t)(a * b); }
NEVER void nothing(void) {}

NEVER int64_t sum(const char *kinds, ...) {
    va_list list, copy;
    va_start(list, kinds);
    va_copy(copy, list);
    int64_t total = 0;
    for (int round = 0; round < 2; round++)
        for (const char *kind = kinds; *kind; kind++) {
            va_list *from = round ? &copy : &list;
            switch (*kind) {
            case 'i': total = total * 3 + va_arg(*from, int); break;
            case 'l': total = total * 3 + va_arg(*from, int64_t); break;
            case 'd': total = total * 3 + (int64_t)va_arg(*from, double); break;
            case 'D': total = total * 3 + (int64_t)va_arg(*from, long double); break;
            case 'p': total = total * 3 + *va_arg(*from, int *); break;
            case 't': total = total * 3 + va_arg(*from, struct two).b; break;
            case 'L': total = total * 3 + va_arg(*from, struct large).v[3]; break;
            }
        }
    va_end(copy);
    va_end(list);
    return total;
}

NEVER int format(char *to, size_t size, const char *pattern, ...) {
    va_list list;
    va_start(list, pattern);
    int length = vsnprintf(to, size, pattern, list);
    va_end(list);
    return length;
}

static int64_t (*volatile indirect)(int8_t, uint8_t, int16_t, uint16_t, int, unsigned, int64_t, uint64_t, int8_t,
    uint8_t, int) = many;

static jmp_buf environment;
NEVER void jump(int value) { longjmp(environment, value); }
NEVER int jumps(int n) {
    volatile int count = 0;
    int value = setjmp(environment);
    count += value;
    if (count < n) jump(n / 3 + 1);
    return count;
}

static void put_text(const char *text) {
    while (*text) put((unsigned char)*text++);
}

static void check(void) {
    struct two two = make_two(1ll << 40, 77);
    put(two.a);
    put(two.b);
    struct mixed mixed = make_mixed(1.5, 7);
    put_double(mixed.d);
    put(mixed.i);
    struct floats floats = make_floats(0.25f);
    put_float(floats.b + floats.c);
    struct large large = make_large((struct large){{1, 2, 3, 4, 5}}, 10);
    for (int i = 0; i < 5; i++) put(large.v[i]);
    struct tiny tiny = make_tiny((struct tiny){"xyz"});
    put(tiny.c[0] << 16 | tiny.c[1] << 8 | tiny.c[2]);
    put(many(-1, 200, -300, 60000, -5, 4000000000u, 1ll << 40, 9, -9, 250, -11));
    put(indirect(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    put_double(many_doubles(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    put(structures(two, mixed, floats, large, tiny, (struct two){8, 9}, (struct two){10, 11}));
    i128 product = wide((i128)1 << 70, 3, 4, 5, (i128)-1, 1ll << 50);
    put((uint64_t)product);
    put((uint64_t)(product >> 64));
    put(truth(2, 0) + 2 * truth(4, 0) + 4 * truth(0, 1));
    put((uint8_t)narrow(-7, 300));
    nothing();
    int seven = 7;
    put(sum("ildp", 1, 2ll, 3.5, &seven));
    put(sum("iiiiiiiiii", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    put(sum("ddddddddddi", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11));
    put(sum("iDtLiDdt", 1, 2.0L, two, large, 5, 7.5L, 8.0, two));
    char text[100];
    put(format(text, sizeof text, "%d %s %5.2f %lld %c %Lf", -5, "text", 3.14159, 1ll << 50, 'c', 2.5L));
    put_text(text);
    put(jumps(20));
    div_t divided = div(17, 5);
    put(divided.quot * 10 + divided.rem);
    put(strtol("1234", NULL, 10));
}
