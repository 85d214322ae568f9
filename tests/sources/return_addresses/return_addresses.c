// Return addresses and frame addresses: the same before and after a call was rewritten, unwindable, and as deep as
// they should be; recursion through them; the return address as a key.
//# flags: -fno-omit-frame-pointer -fno-optimize-sibling-calls
//# linkers: mold
//# tiers: a call has another address in each version of its function
//# prints: same call site 1 1
//# prints: two call sites differ 1
//# prints: frames grow down 1 1
//# prints: parent's frame 1
//# prints: second level 1
//# prints: stack is the program's 1
//# prints: chain 5
//# lazy: where outer frame_of chain
#include <stdio.h>

#define NOINLINE __attribute__((noinline))

NOINLINE void *where(void) {
    __asm__ volatile("" ::: "memory"); // each call counts
    return __builtin_return_address(0);
}
NOINLINE void *two_up(void) { return __builtin_return_address(1); }
NOINLINE void outer(void **found, int times) {
    for (int i = 0; i < times; i++) found[i] = where();
    found[times] = where();
}
NOINLINE void *frame_of(void **parent) {
    *parent = __builtin_frame_address(1);
    return __builtin_frame_address(0);
}
NOINLINE void *through(void **direct) {
    void *found = two_up();
    *direct = __builtin_return_address(0);
    return found;
}
NOINLINE int chain(int depth, void *until) {
    if (depth) {
        int result = chain(depth - 1, until);
        __asm__ volatile("" ::: "memory");
        return result;
    }
    int length = 0;
    for (void **frame = __builtin_frame_address(0); frame && frame != until; frame = *frame) length++;
    return length;
}

int main(void) {
    void *found[4], *again[4], *parent, *direct;
    outer(found, 3);
    outer(again, 3);
    printf("same call site %d %d\n", found[0] == found[1] && found[1] == found[2], found[0] == again[0]);
    printf("two call sites differ %d\n", found[0] != found[3] && found[3] == again[3]);
    void *own = __builtin_frame_address(0), *inner = frame_of(&parent);
    printf("frames grow down %d %d\n", inner < own, __builtin_frame_address(0) == own);
    printf("parent's frame %d\n", parent == own);
    void *second = through(&direct);
    printf("second level %d\n", second == direct);
    char here;
    printf("stack is the program's %d\n", (char *)own - &here < 4096 && (char *)inner - &here < 4096);
    printf("chain %d\n", chain(4, own));
    return 0;
}
