/* What the programs of these tests share: numbers go out through put(). */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static uint64_t *cursor, *first;

__attribute__((noinline)) static void put(uint64_t value) { *cursor++ = value; }
__attribute__((noinline)) static void put_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    /* The sign and payload of NaN are not defined. */
    put(value != value ? 0x7ff8dead : bits);
}
__attribute__((noinline)) static void put_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put(value != value ? 0x7fc0dead : bits);
}

static void check(void);

#ifdef __cplusplus
extern "C"
#endif
uint64_t run(uint64_t *out) {
    cursor = first = out;
    check();
    return cursor - first;
}
