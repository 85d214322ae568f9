/* Arithmetic, comparisons and conversions of all widths over edge values. */
#include "check.h"

typedef unsigned __int128 u128;
typedef __int128 i128;

static const uint64_t edges[] = {0, 1, 2, 3, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 32767, 32768, 65535, 65536,
    0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffffe,
    0xffffffffffffffff, 0x123456789abcdef0};
enum { EDGES = sizeof edges / sizeof *edges };

#define BINARY(name, type, unsigned_type, bits) \
    __attribute__((noinline)) static void name(type a, type b) { \
        put((unsigned_type)(a + (unsigned_type)b)); \
        put((unsigned_type)((unsigned_type)a - (unsigned_type)b)); \
        put((unsigned_type)((unsigned_type)a * (u128)(unsigned_type)b)); \
        put((unsigned_type)(a & b)); \
        put((unsigned_type)(a | b)); \
        put((unsigned_type)(a ^ b)); \
        put((unsigned_type)~a); \
        put((unsigned_type)((unsigned_type)a << ((unsigned_type)b % bits))); \
        put((unsigned_type)(a >> ((unsigned_type)b % bits))); \
        if (b != 0 && (b != (type)-1 || (type)-1 > 0)) { \
            put((unsigned_type)(a / b)); \
            put((unsigned_type)(a % b)); \
        } \
        put(a < b); \
        put(a <= b); \
        put(a == b); \
        put(a != b ? 17 : 4); \
        put(a > b && b >= 0); \
        put((uint64_t)(int8_t)a + (uint64_t)(uint16_t)b); \
        put((uint64_t)(int64_t)a ^ (uint64_t)(int32_t)b); \
        put((unsigned_type)(a + 100) ^ (unsigned_type)(a - 1)); \
        put((unsigned_type)((unsigned_type)a * 8u) + (unsigned_type)((unsigned_type)a * 7u)); \
        put((unsigned_type)((unsigned_type)a / 16u) + (unsigned_type)((unsigned_type)a % 16u)); \
        put((unsigned_type)(a / 7) ^ (unsigned_type)(a % 10)); \
    }

BINARY(in_i8, int8_t, uint8_t, 8)
BINARY(in_u8, uint8_t, uint8_t, 8)
BINARY(in_i16, int16_t, uint16_t, 16)
BINARY(in_u16, uint16_t, uint16_t, 16)
BINARY(in_i32, int32_t, uint32_t, 32)
BINARY(in_u32, uint32_t, uint32_t, 32)
BINARY(in_i64, int64_t, uint64_t, 64)
BINARY(in_u64, uint64_t, uint64_t, 64)

static void put_wide(u128 value) {
    put((uint64_t)value);
    put((uint64_t)(value >> 64));
}

__attribute__((noinline)) static void in_u128(u128 a, u128 b) {
    put_wide(a + b);
    put_wide(a - b);
    put_wide(a * b);
    put_wide(a & b);
    put_wide(a | b);
    put_wide(a ^ b);
    put_wide(~a);
    put_wide(-a);
    put_wide(a << (b & 127));
    put_wide(a >> (b & 127));
    put_wide((i128)a >> (b & 127));
    put_wide(a << 5 ^ a >> 70);
    put_wide((i128)a >> 64 ^ (i128)a >> 3);
    put_wide(a << 64);
    if (b != 0) {
        put_wide(a / b);
        put_wide(a % b);
        if (b + 1 != 0) {
            put_wide((i128)a / (i128)b);
            put_wide((i128)a % (i128)b);
        }
    }
    put(a < b);
    put(a <= b);
    put(a > b);
    put((i128)a < (i128)b);
    put((i128)a >= (i128)b);
    put((i128)a > (i128)b);
    put(a == b);
    put(a != b ? 3 : 5);
}

static i128 widen(int64_t value) { return value; }
static u128 widen_unsigned(uint32_t value) { return value; }

__attribute__((noinline)) static void overflow(int64_t a, int64_t b) {
    int32_t r32;
    int64_t r64;
    uint8_t r8;
    uint16_t r16;
    uint64_t u64;
    int8_t s8;
    put(__builtin_add_overflow((int32_t)a, (int32_t)b, &r32));
    put((uint32_t)r32);
    put(__builtin_sub_overflow(a, b, &r64));
    put(r64);
    put(__builtin_mul_overflow(a, b, &r64));
    put(r64);
    put(__builtin_mul_overflow((int32_t)a, (int32_t)b, &r32));
    put((uint32_t)r32);
    put(__builtin_mul_overflow((uint64_t)a, (uint64_t)b, &u64));
    put(u64);
    put(__builtin_add_overflow((uint8_t)a, (uint8_t)b, &r8));
    put(r8);
    put(__builtin_mul_overflow((uint8_t)a, (uint8_t)b, &r8));
    put(r8);
    put(__builtin_mul_overflow((int8_t)a, (int8_t)b, &s8));
    put((uint8_t)s8);
    put(__builtin_sub_overflow((uint16_t)a, (uint16_t)b, &r16));
    put(r16);
}

__attribute__((noinline)) static void counting(uint64_t a, uint64_t b) {
    put(__builtin_popcountll(a));
    put(__builtin_popcount((uint32_t)a));
    if (a) {
        put(__builtin_clzll(a));
        put(__builtin_ctzll(a));
    }
    if ((uint32_t)a) {
        put(__builtin_clz((uint32_t)a));
        put(__builtin_ctz((uint32_t)a));
    }
    put(__builtin_bswap64(a));
    put(__builtin_bswap32((uint32_t)a));
    put(__builtin_bswap16((uint16_t)a));
    put(__builtin_bitreverse64(a));
    put(__builtin_bitreverse32((uint32_t)a));
    put(__builtin_bitreverse8((uint8_t)a));
    put(__builtin_rotateleft64(a, b));
    put(__builtin_rotateright64(a, b));
    put(__builtin_rotateleft32((uint32_t)a, (uint32_t)b));
    put(__builtin_rotateleft16((uint16_t)a, (uint16_t)b));
    put(__builtin_rotateright8((uint8_t)a, (uint8_t)b));
    put(__builtin_rotateleft8((uint8_t)a, (uint8_t)b));
    put(__builtin_ffsll(a));
    put(__builtin_parityll(a));
    put(__builtin_llabs((int64_t)(a | 1)));
    put((uint64_t)__builtin_elementwise_add_sat((int32_t)a, (int32_t)b));
    put((uint64_t)__builtin_elementwise_sub_sat((int64_t)a, (int64_t)b));
    put(__builtin_elementwise_add_sat((uint8_t)a, (uint8_t)b));
    put(__builtin_elementwise_sub_sat((uint64_t)a, (uint64_t)b));
    put((uint64_t)__builtin_elementwise_min((int16_t)a, (int16_t)b));
    put(__builtin_elementwise_max((uint32_t)a, (uint32_t)b));
    put(__builtin_elementwise_max((int64_t)a, (int64_t)b));
}

static void odd_widths(uint64_t a, uint64_t b) {
    unsigned _BitInt(24) x = (unsigned _BitInt(24))a, y = (unsigned _BitInt(24))b;
    _BitInt(37) s = (_BitInt(37))a, t = (_BitInt(37))b;
    unsigned _BitInt(3) p = (unsigned _BitInt(3))a, q = (unsigned _BitInt(3))b;
    _BitInt(100) v = ((_BitInt(100))a << 30) + b, w = (_BitInt(100))b;
    put((uint64_t)(x + y));
    put((uint64_t)(x * y));
    put((uint64_t)(s - t));
    put(s < t);
    put(x >= y);
    put((uint64_t)(p + q));
    put(p < q);
    put((uint64_t)(s >> 5));
    put((uint64_t)(v >> 40));
    put((uint64_t)(v + w));
    put(v < w);
    put((uint64_t)(v * 3));
    if (t) put((uint64_t)(s / 3) ^ (uint64_t)(x / 5));
}

struct bits {
    unsigned a : 3;
    int b : 7;
    uint64_t c : 40;
    _Bool d : 1;
};

static void bit_fields(uint64_t a) {
    struct bits bits = {0};
    bits.a = a;
    bits.b = a >> 3;
    bits.c = a * 3;
    bits.d = a & 4;
    put(bits.a);
    put((uint64_t)bits.b);
    put(bits.c);
    put(bits.d);
    bits.c += 5;
    bits.b ^= 3;
    put(bits.c + (uint64_t)bits.b);
}

static void check(void) {
    for (int i = 0; i < EDGES; i++) {
        put_wide(widen((int64_t)edges[i]));
        put_wide(widen_unsigned((uint32_t)edges[i]));
        bit_fields(edges[i]);
        for (int j = 0; j < EDGES; j++) {
            uint64_t a = edges[i], b = edges[j];
            in_i8((int8_t)a, (int8_t)b);
            in_u8((uint8_t)a, (uint8_t)b);
            in_i16((int16_t)a, (int16_t)b);
            in_u16((uint16_t)a, (uint16_t)b);
            in_i32((int32_t)a, (int32_t)b);
            in_u32((uint32_t)a, (uint32_t)b);
            in_i64((int64_t)a, (int64_t)b);
            in_u64(a, b);
            in_u128((u128)a << 64 | b, (u128)b);
            in_u128((u128)a << 3 | b, (u128)b << 61);
            overflow((int64_t)a, (int64_t)b);
            counting(a, b);
            odd_widths(a, b);
        }
    }
}
