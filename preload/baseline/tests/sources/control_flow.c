/* Loops, switches, and values that live across blocks. */
#include "check.h"

__attribute__((noinline)) static int dense(int value) {
    switch (value) {
    case -2: return 10;
    case -1: return 11;
    case 0: return 20;
    case 1: return 21;
    case 2: return 22;
    case 5: return 25;
    case 6: value += 3;
    case 7: return value * 2;
    default: return -value;
    }
}

__attribute__((noinline)) static int sparse(int64_t value) {
    switch (value) {
    case -5000000000: return 1;
    case 17: return 2;
    case 1000: return 3;
    case 1001: return 4;
    case 70000: return 5;
    case 5000000000: return 6;
    case 0x7fffffffffffffff: return 7;
    case -0x7fffffffffffffff - 1: return 8;
    }
    return 0;
}

__attribute__((noinline)) static int of_char(unsigned char value) {
    switch (value) {
    case 'a' ... 'f': return value - 'a' + 10;
    case 255: return -1;
    case 128: return -2;
    case '0' ... '9': return value - '0';
    }
    return 99;
}

__attribute__((noinline)) static uint64_t fibonacci(int n) {
    uint64_t a = 0, b = 1;
    while (n-- > 0) {
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return a;
}

__attribute__((noinline)) static uint64_t nested(int n) {
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) {
        if (i % 3 == 1) continue;
        for (int j = i; j < n; j++) {
            if (j * i > 200) break;
            for (int k = 0; k < 3; k++) sum += i * j ^ k;
        }
        if (sum > 100000) goto out;
    }
    sum ^= 1;
out:
    return sum;
}

__attribute__((noinline)) static int logic(int a, int b, int c) {
    int r = (a && b) || (!c && a > b);
    r += a ? b ? 1 : 2 : c ? 3 : 4;
    return r * ((a || b) && c);
}

/* Values that change places at each round. */
__attribute__((noinline)) static uint64_t rotate(int n, uint64_t a, uint64_t b, uint64_t c) {
    for (int i = 0; i < n; i++) {
        uint64_t t = a;
        a = b;
        b = c;
        c = t;
        if (i & 1) {
            t = a;
            a = c;
            c = t;
        }
    }
    return a * 100 + b * 10 + c;
}

__attribute__((noinline)) static uint64_t many(uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    uint64_t v[4];
    uint64_t e = a * b, f = b * c, g = c * d, h = a + d, i = e ^ f, j = f - g, k = g | h, l = h + i, m = i * j,
             n = j ^ k, o = k + l, p = l * 3, q = m - n, r = n + o, s = o ^ p, t = p - q, u = q + r;
    for (int x = 0; x < 4; x++) {
        v[x] = e + x * f;
        a += (e ^ f) + (g * h) - (i | j) + (k & l) - (m ^ n) + (o - p) * (q + r) - (s ^ t) + u;
    }
    return a + v[0] + v[1] * v[2] - v[3] + e + f + g + h + i + j + k + l + m + n + o + p + q + r + s + t + u;
}

__attribute__((noinline)) static int recursive(int n) {
    return n < 2 ? n : recursive(n - 1) + recursive(n - 2);
}

static void check(void) {
    for (int i = -10; i < 12; i++) put((uint32_t)dense(i));
    int64_t sparse_values[] = {-5000000000, 17, 18, 1000, 1001, 1002, 70000, 5000000000, 0x7fffffffffffffff,
        -0x7fffffffffffffff - 1, 0, -1};
    for (int i = 0; i < 12; i++) put(sparse(sparse_values[i]));
    for (int i = 0; i < 256; i++) put((uint32_t)of_char(i));
    for (int i = 0; i < 30; i++) put(fibonacci(i));
    for (int i = 0; i < 30; i++) put(nested(i));
    for (int i = 0; i < 8; i++) put(logic(i & 1, i & 2, i & 4));
    for (int i = 0; i < 9; i++) put(rotate(i, 1, 2, 3));
    put(many(3, 5, 7, 11));
    put(many(1ull << 60, ~0ull, 99, 12345678901234));
    put(recursive(15));
}
