// The second unit of wide_places.c.
#include <stdio.h>

#define DISTANCE(to, from) (int)((char *)(to) - (char *)(from))

#pragma pack(push, 8)
struct packed { long a; __int128 b; int c; };
#pragma pack(pop)
static struct packed packed_data = {1, 2, 3};
static long packed_sum(struct packed *of) { return (long)of->b + of->c; }
void packed(int one) {
    struct packed own = {one, one + 1, one + 3};
    struct packed *of = &packed_data;
    printf("packed %zu %d: %ld %ld\n", sizeof own, DISTANCE(&of->c, of), packed_sum(of), packed_sum(&own));
}

struct bits { long a; _BitInt(256) b; int c; };
static struct bits bits_data = {1, 3, 4};
static long bits_sum(struct bits *of) { return (long)of->b + of->c; }
void bits(int one) {
    struct bits own = {one, one + 2, one + 4};
    struct bits *of = &bits_data;
    printf("bits %zu %d: %ld %ld\n", sizeof own, DISTANCE(&of->c, of), bits_sum(of), bits_sum(&own));
}

static _BitInt(192) list_data[3];
void list(int one) { printf("stride %d of %zu\n", DISTANCE(list_data + one, list_data), sizeof list_data); }

void passed(int a, int b, int c, int d, int e, int f, __int128 g, int h, __int128 i, int j) {
    (void)b, (void)c, (void)d, (void)e, (void)f, (void)h;
    printf("passed %d %d %d %d\n", a, (int)g, (int)i, j);
}
