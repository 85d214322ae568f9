/* Vectors of 256 bits, and larger ones, as arguments and results: in registers, on the stack, in structures, variadic, through
   pointers to code of both compilers. Without AVX clang passes them in memory. */
#include "check.h"
#include <stdarg.h>

#define NEVER __attribute__((noinline))

typedef float floats __attribute__((vector_size(32)));
typedef double doubles __attribute__((vector_size(32)));
typedef int64_t longs __attribute__((vector_size(32)));
typedef int8_t bytes __attribute__((vector_size(32)));
typedef float small __attribute__((vector_size(16)));
typedef int32_t wider __attribute__((vector_size(64)));
typedef int32_t widest __attribute__((vector_size(128)));
typedef struct {
    longs value;
    int tag;
} tagged;

NEVER static void put_longs(longs value) {
    for (int i = 0; i < 4; i++) put(value[i]);
}
NEVER static void put_floats(floats value) {
    for (int i = 0; i < 8; i++) put_float(value[i]);
}

static longs counted(int64_t from) { return (longs){from, from + 1, from * 3, ~from}; }

NEVER longs add(longs a, longs b) { return a + b; }
NEVER longs first_of(longs a, longs b) { return a; }
NEVER longs second_of(longs a, longs b) { return b; }
NEVER floats scale(floats a, float by) { return a * by; }
NEVER doubles mixed(int n, doubles a, double by, small s, doubles b) { return a * by + b * n + s[1]; }
NEVER bytes constant(void) {
    return (bytes){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
}
NEVER int64_t sum(longs a) { return a[0] + a[1] * 3 + a[2] * 5 + a[3] * 7; }
NEVER int64_t unused(longs a, int64_t n, longs b) { return n; }

/* More than registers: the rest is on the stack, among what is smaller. */
NEVER longs many(longs a, longs b, longs c, longs d, longs e, longs f, longs g, longs h, longs i, int n1, int n2,
                 int n3, int n4, int n5, int n6, int n7, longs j, double x, small s, longs k) {
    return a - b * 2 + c * 3 - d * 5 + e * 7 - f * 11 + g * 13 - h * 17 + i * 19 - j * 23 + k * 29 +
           (n1 + n2 * 2 + n3 * 3 + n4 * 4 + n5 * 5 + n6 * 6 + n7 * 7) + (int64_t)x + (int64_t)s[3];
}
NEVER int aligned(longs a, longs b, longs c, longs d, longs e, longs f, longs g, longs h, longs i) {
    /* As in the callee of clang's code. */
    longs copy = i;
    return (int)((uintptr_t)&copy % 32) + (int)sum(copy - a);
}
NEVER tagged structure(tagged t, longs by) {
    t.value += by;
    t.tag++;
    return t;
}
NEVER wider double_it(wider a) { return a + a; }
NEVER widest both(wider a, widest b) {
    for (int i = 0; i < 16; i++) b[i] += a[i];
    return b;
}

NEVER int64_t variadic(longs named, int count, ...) {
    va_list list;
    va_start(list, count);
    int64_t all = sum(named);
    for (int i = 0; i < count; i++) {
        all += va_arg(list, int);
        all = all * 31 + sum(va_arg(list, longs));
        all = all * 31 + (int64_t)va_arg(list, double);
    }
    va_end(list);
    return all;
}

NEVER longs recursive(int depth, longs a) {
    if (depth == 0) return a;
    longs rest = recursive(depth - 1, a + depth);
    return rest * 3 - a;
}

/* What lives across calls, and through them. */
NEVER longs across(longs a, longs b, int64_t n) {
    longs x = add(a, b), y = add(a, counted(n));
    longs z = many(a, b, x, y, a, b, x, y, x, 1, 2, 3, 4, 5, 6, 7, y, 8.5, (small){1, 2, 3, 4}, a);
    return n & 1 ? add(x, z) : add(add(z, y), x);
}

/* On a stack that moves: clang does not align what is passed there, so nothing is. */
NEVER longs on_moving_stack(longs a, int64_t n) {
    char *room = __builtin_alloca(n & 63);
    memset(room, n, n & 63);
    longs x = add(a, counted(room[n & 15]));
    return add(x, a);
}

typedef longs (*binary)(longs, longs);
NEVER longs apply(binary function, longs a, longs b) { return function(b, function(a, b)); }
NEVER longs choose(int which, longs a, longs b) {
    longs result;
    switch (which) {
    case 0: result = add(a, b); break;
    case 1: result = a; break;
    case 2: result = (longs){0}; break;
    default: result = second_of(b, a); break;
    }
    return result;
}
NEVER longs undefined(int n) {
    longs nothing;
    return n ? add((longs){0, 0, n, n}, (longs){n}) : add((longs){-1, -1, -1, -1}, first_of((longs){5}, nothing));
}

/* Code of the other compiler. */
longs (*volatile other_add)(longs, longs) = add;
longs (*volatile other_apply)(binary, longs, longs) = apply;
floats (*volatile other_scale)(floats, float) = scale;
doubles (*volatile other_mixed)(int, doubles, double, small, doubles) = mixed;
longs (*volatile other_many)(longs, longs, longs, longs, longs, longs, longs, longs, longs, int, int, int, int, int, int, int,
                             longs, double, small, longs) = many;
int (*volatile other_aligned)(longs, longs, longs, longs, longs, longs, longs, longs, longs) = aligned;
tagged (*volatile other_structure)(tagged, longs) = structure;
wider (*volatile other_double)(wider) = double_it;
widest (*volatile other_both)(wider, widest) = both;
int64_t (*volatile other_variadic)(longs, int, ...) = variadic;
longs (*volatile other_across)(longs, longs, int64_t) = across;

static void check(void) {
    longs a = counted(7), b = counted(-1000000007), c = counted(1ll << 40);
    put_longs(add(a, b));
    put_longs(first_of(a, b));
    put_longs(second_of(a, b));
    put_floats(scale((floats){1, 2, 3, 4, 5, 6, 7, 8}, 0.5f));
    doubles d = mixed(3, (doubles){1, 2, 3, 4}, 2.5, (small){1, 2, 3, 4}, (doubles){5, 6, 7, 8});
    put_longs((longs)d);
    put_longs((longs)constant());
    put(sum(a) + unused(a, 5, b));
    for (int i = 0; i < 5; i++) put_longs(choose(i, a, b));
    put_longs(many(a, b, c, a, b, c, a, b, c, 1, 2, 3, 4, 5, 6, 7, b, 8.5, (small){1, 2, 3, 4}, c));
    put(aligned(a, b, c, a, b, c, a, b, c));
    tagged t = structure((tagged){a, 5}, b);
    put_longs(t.value);
    put(t.tag);
    wider w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    widest l = {0};
    l[3] = 4;
    l[31] = 9;
    w = double_it(w);
    for (int i = 0; i < 16; i++) put(w[i]);
    l = both(w, l);
    for (int i = 0; i < 32; i++) put(l[i]);
    put(variadic(a, 3, 1, b, 2.5, 3, c, 4.5, 5, a, 6.5));
    put_longs(recursive(20, a));
    put_longs(across(a, b, 33));
    put_longs(across(b, c, 46));
    put_longs(on_moving_stack(a, 37));
    put_longs(apply(add, a, b));
    put_longs(undefined(5));
    put_longs(undefined(0));

    put_longs(other_add(a, b));
    put_longs(other_apply(second_of, a, b));
    put_longs(other_apply(add, a, b));
    put_longs(apply(other_add, a, b));
    put_floats(other_scale((floats){1, 2, 3, 4, 5, 6, 7, 8}, 0.5f));
    put_longs((longs)other_mixed(3, (doubles){1, 2, 3, 4}, 2.5, (small){1, 2, 3, 4}, (doubles){5, 6, 7, 8}));
    put_longs(other_many(a, b, c, a, b, c, a, b, c, 1, 2, 3, 4, 5, 6, 7, b, 8.5, (small){1, 2, 3, 4}, c));
    put(other_aligned(a, b, c, a, b, c, a, b, c));
    t = other_structure((tagged){a, 5}, b);
    put_longs(t.value);
    put(t.tag);
    w = other_double(w);
    for (int i = 0; i < 16; i++) put(w[i]);
    l = other_both(w, l);
    for (int i = 0; i < 32; i++) put(l[i]);
    put(other_variadic(a, 3, 1, b, 2.5, 3, c, 4.5, 5, a, 6.5));
    put_longs(other_across(a, b, 33));
}
