// Indirect functions in optimised code: nothing is known of what one does, nor is its address that of what it stands for.
//# levels: standard o1 o3_g o2_nopie o2_pic
//# linkers: lld bfd
//# prints: called 102
//# prints: hidden and static 204
//# prints: addresses 0 0 1 1
//# prints: chosen 3
//# prints: alias 2
//# lazy: main called both addresses chosen by_alias
//# stats: compiled >= 5
#include <stdio.h>

#define APART __attribute__((noinline))
static int global;
static int one(int x) {
    global++;
    return x + 1;
}
static int (*resolve(void))(int) { return one; }
int indirect(int x) __attribute__((ifunc("resolve")));
__attribute__((visibility("hidden"))) int hidden(int x) __attribute__((ifunc("resolve")));
static int local(int x) __attribute__((ifunc("resolve")));
int other_name(int x) __attribute__((alias("one")));

APART int called(int x) {
    global = 0;
    int result = indirect(x);
    return global * 100 + result;
}
APART int both(int x) {
    global = 0;
    int result = hidden(x) + local(x);
    return global * 100 + result;
}
APART void addresses(void) {
    int (*volatile taken)(int) = indirect;
    printf("addresses %d %d %d %d\n", indirect == one, indirect == hidden, &indirect != 0, taken == indirect);
}
APART int chosen(int first) {
    int (*pointer)(int) = first ? indirect : hidden;
    return pointer(1) + (pointer == indirect);
}
APART int by_alias(int x) {
    global = 1;
    other_name(x);
    return global;
}

int main(int argc, char **argv) {
    (void)argv;
    printf("called %d\n", called(argc));
    printf("hidden and static %d\n", both(argc));
    addresses();
    printf("chosen %d\n", chosen(argc));
    printf("alias %d\n", by_alias(argc));
    return 0;
}
