/* Addresses, structures, arrays, globals, allocas, copies and fills. */
#include "check.h"

struct inner {
    char tag;
    int16_t small;
    int32_t value;
    double weight;
};

struct outer {
    struct inner items[3];
    struct outer *next;
    uint8_t bytes[13];
    union {
        float f;
        uint32_t u;
    };
};

static struct outer table[4];
static const int constants[] = {5, -3, 1000000, 7};
int shared = 41;
static volatile int counter;
static char text[] = "a text that is longer than a register";
static int *pointers[] = {&shared, &((int *)table)[5], (int *)&table[2].items[1].value};

__attribute__((noinline)) static void fill(struct outer *all, int n) {
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < 3; j++) {
            all[i].items[j].tag = 'a' + i + j;
            all[i].items[j].small = (int16_t)(i * 1000 - j);
            all[i].items[j].value = i * 100000 + j;
            all[i].items[j].weight = i / 3.0 + j;
        }
        all[i].next = &all[(i + 1) % n];
        for (unsigned k = 0; k < sizeof all[i].bytes; k++) all[i].bytes[k] = (uint8_t)(k * i);
        all[i].u = 0x3f800000u + (uint32_t)i;
    }
}

__attribute__((noinline)) static uint64_t digest(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

__attribute__((noinline)) static int walk(struct outer *at, int steps) {
    int sum = 0;
    while (steps--) {
        sum += at->items[steps % 3].value + at->bytes[steps % 13];
        at = at->next;
    }
    return sum;
}

__attribute__((noinline)) static struct inner exchange(struct inner *a, struct inner *b) {
    struct inner old = *a;
    *a = *b;
    *b = old;
    old.value++;
    return old;
}

__attribute__((noinline)) static uint64_t dynamic(int n) {
    int values[n];
    char *other = __builtin_alloca(n * 3 + 1);
    for (int i = 0; i < n; i++) values[i] = i * i;
    memset(other, n, n * 3);
    other[n * 3] = 0;
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) {
        char again[i + 1];
        again[i] = (char)i;
        sum += values[i] + other[i * 3] + again[i];
    }
    return sum + strlen(other);
}

__attribute__((noinline)) static uint64_t aligned(void) {
    _Alignas(64) char buffer[100];
    memset(buffer, 3, sizeof buffer);
    return ((uintptr_t)buffer & 63) + digest(buffer, sizeof buffer);
}

__attribute__((noinline)) static void copies(char *to, const char *from, size_t n) {
    memcpy(to, from, 1);
    memcpy(to + 1, from + 1, 3);
    memcpy(to + 4, from + 4, 31);
    memmove(to + 2, to, 17);
    memcpy(to + 35, from, n);
    memset(to + 70, 0x5a, 29);
    memset(to + 99, (int)n, n);
}

__attribute__((noinline)) static int64_t index_types(const int *base, int8_t a, uint16_t b, int64_t c) {
    return base[a] + base[b] + base[c] + *(base + b - a) + (&base[c] - base);
}

__attribute__((noinline)) static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

static void sort(int *values, int n, int (*order)(const void *, const void *)) {
    for (int i = 1; i < n; i++)
        for (int j = i; j > 0 && order(&values[j - 1], &values[j]) > 0; j--) {
            int t = values[j];
            values[j] = values[j - 1];
            values[j - 1] = t;
        }
}

static void check(void) {
    fill(table, 4);
    for (int i = 0; i < 4; i++) {
        put(digest(&table[i].items, sizeof table[i].items[0].tag));
        put(digest(table[i].bytes, sizeof table[i].bytes));
        put(table[i].u);
        put_float(table[i].f);
        put_double(table[i].items[i % 3].weight);
    }
    put((uint32_t)walk(table, 10));
    struct inner old = exchange(&table[0].items[1], &table[3].items[2]);
    put(old.tag);
    put((uint64_t)old.small);
    put((uint32_t)old.value);
    put_double(old.weight);
    put((uint32_t)table[0].items[1].value);
    for (int i = 0; i < 4; i++) put((uint32_t)constants[i]);
    counter++;
    counter += shared++;
    put(counter);
    put(shared);
    put((uint32_t)*pointers[0]);
    put((uint32_t)*pointers[2]);
    put(pointers[1] == (int *)table + 5);
    for (int i = 0; i < 20; i++) put(dynamic(i));
    put(aligned());
    char buffer[200] = {0};
    copies(buffer, text, 20);
    put(digest(buffer, sizeof buffer));
    put(digest(text, sizeof text));
    put((uint64_t)index_types(constants, 1, 2, 3));
    int values[] = {5, -1, 77, 3, 3, 0, -100, 12};
    sort(values, 8, compare);
    put(digest(values, sizeof values));
}
