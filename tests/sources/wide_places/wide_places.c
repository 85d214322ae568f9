// Integers of more than 64 bits at places that older releases of LLVM give them: in structures that are packed to 8 bytes, and beside one
// another, and on the stack. The other unit has them; it stays whole where bodies would find them elsewhere.
//# sources: wide_elsewhere.c
//# plain: wide_caller.c
//# prints: packed 32 24: 5 6
//# prints: bits 48 40: 7 8
//# prints: stride 24 of 72
//# prints: passed 1 7 9 12
//# prints: own 11
//# lazy: main own
//# refuses: integers of more than 128 bits
#include <stdio.h>

void packed(int one), bits(int one), list(int one), pass(int one);

int own(int x) { return x + 10; }

int main(int count, char **arguments) {
    (void)arguments;
    packed(count);
    bits(count);
    list(count);
    pass(count);
    printf("own %d\n", own(count));
    return 0;
}
