// Functions and variables that nothing defines, in code that the optimiser removes: assertions at link time, as projects
// write them. The plain program links, so the lazy one does.
//# levels: o1 o2 o3_g os o2_nopie
//# prints: 6 1 3 12 0 8
//# prints: 8 5 22 3
//# prints: 9 1 6
//# lazy: main twice by_size by_constant folded by_table by_object_size unreached by_memory by_callees by_loop
//# static: by_choice by_chosen_size
//# refuses: what only an optimiser removes
#include <stdio.h>
#include <string.h>

void never_defined(void);
int never_defined_either(int);
void wrong_size(void), not_a_constant(void), not_folded(void), not_known(void), table_changed(void);
void no_such_size(void), not_chosen(void), size_not_chosen(void);
extern int no_such_variable;

int twice(int x) {
    int y = x * 2;
    if (y - x - x) never_defined();
    if (y < x && y > x) return no_such_variable;
    return y;
}

// Dispatch by size, as kernels and jemalloc do it.
#define READ(p)                                                                                                  \
    ({                                                                                                           \
        unsigned long read_ = 0;                                                                                 \
        switch (sizeof *(p)) {                                                                                   \
        case 1: read_ = *(unsigned char *)(p); break;                                                            \
        case 4: read_ = *(unsigned *)(p); break;                                                                 \
        case 8: read_ = *(unsigned long *)(p); break;                                                            \
        default: wrong_size();                                                                                   \
        }                                                                                                        \
        read_;                                                                                                   \
    })
__attribute__((noinline)) unsigned long by_size(unsigned char *a, unsigned *b) { return READ(a) + READ(b); }

static inline __attribute__((always_inline)) int constant(int n) {
    if (!__builtin_constant_p(n)) not_a_constant();
    return n;
}
static inline int checked(int n, int most) {
    if (n > most) never_defined();
    return n;
}
__attribute__((noinline)) int by_constant(void) { return constant(sizeof(int)) + checked(8, 9); }

// What the optimiser knows of library functions.
__attribute__((noinline)) unsigned long folded(void) {
    if (strlen("eight") != 5 || strcmp("a", "b") >= 0) not_folded();
    double x = 2;
    if (__builtin_sqrt(4.0) != x) not_folded();
    return strlen("") + never_defined_either(0) * 0;
}
int never_defined_either(int x) { return x; }

static const int table[] = {1, 2, 4, 8};
static int never_written = 3;
__attribute__((noinline)) int by_table(void) {
    if (table[2] != 4) table_changed();
    if (never_written != 3) not_known();
    return table[3];
}

// Sizes of objects, and library functions that other ones replace, are no different in a batch.
static char object[8];
__attribute__((noinline)) int by_object_size(void) {
    if (__builtin_object_size(object, 0) != 8) no_such_size();
    return sizeof object;
}
static int no_messages = 1;
__attribute__((noinline)) int unreached(int n) {
    if (!no_messages) {
        printf("never\n");
        never_defined();
    }
    return n + 4;
}

// What a pointer leads to, values that callees return and store, and what a loop comes to.
struct state {
    int first, second;
};
__attribute__((noinline)) int by_memory(struct state *state, int n) {
    state->first = 3;
    state->second = n;
    if (state->first != 3) never_defined();
    return state->second;
}
static void begin(struct state *state, int n) {
    state->first = n;
    state->second = n + 1;
}
static int distance(const struct state *state) { return state->second - state->first; }
__attribute__((noinline)) int by_callees(void) {
    struct state state;
    begin(&state, 4);
    if (distance(&state) != 1) never_defined();
    return distance(&state);
}
__attribute__((noinline)) int by_loop(const int *numbers) {
    int total = 0;
    for (int i = 0; i < 4; i++) {
        if (numbers[i] > 9 && numbers[i] < 8) never_defined();
        total += i;
    }
    if (total != 6) never_defined();
    return total;
}

// What the optimiser may choose, and chooses by way of inlining here: only the compiler itself is sure to do it again.
volatile int sink;
static int large(int n) {
    if (!__builtin_constant_p(n)) not_chosen();
    for (int i = 0; i < 3; i++) {
        sink += i * n;
        sink ^= n;
        if (sink & 8) sink += 3;
        if (sink & 16) sink += 5;
        sink -= i;
        if (sink & 32) sink += 7;
    }
    return n + 1;
}
__attribute__((noinline)) int by_choice(void) { return large(21); }
static inline int room(char *in, int size) {
    if (__builtin_object_size(in, 0) == (unsigned long)-1) size_not_chosen();
    sink += in[0] + size;
    if (sink & 8) sink += 3;
    return size;
}
__attribute__((noinline)) int by_chosen_size(void) { return room(object + 1, 1) + room(object, 2); }

int main(int argc, char **argv) {
    (void)argv;
    printf("%d %d %d %d\n", by_object_size(), unreached(argc), by_choice(), by_chosen_size());
    int numbers[] = {argc, argc, argc, argc};
    struct state state;
    int in_memory = by_memory(&state, 9);
    unsigned char one = 1;
    unsigned four = 2;
    printf("%d %d %lu %d %lu %d\n", twice(argc + 2), argc, by_size(&one, &four), by_constant(), folded(), by_table());
    printf("%d %d %d\n", in_memory, by_callees(), by_loop(numbers));
    return 0;
}
