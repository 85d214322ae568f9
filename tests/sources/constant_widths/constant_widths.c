// Constants whose parts are numbers of odd widths, and addresses that are numbers narrower than an address: front ends other
// than clang write them. What is narrower than its place is extended by zeros.
//# sources: numbers.ll
//# linkers: bfd
//# prints: numbers fbffffff00000000 01 7f feffff00 ff00000000000000 1f0000
//# prints: packed a5 11
//# lazy: numbers packed
//# refuses: a constant of this kind
#include <stdio.h>

void numbers(unsigned char *out);
void packed(unsigned char *out);

static void print(const unsigned char *bytes, int count) {
    printf(" ");
    for (int i = 0; i < count; i++)
        printf("%02x", bytes[i]);
}

int main(void) {
    unsigned char out[40] = {0};
    numbers(out);
    printf("numbers");
    print(out, 8);
    print(out + 8, 1);
    print(out + 9, 1);
    print(out + 12, 4);
    print(out + 16, 8);
    print(out + 24, 3);
    packed(out);
    printf("\npacked");
    print(out, 1);
    print(out + 1, 1);
    puts("");
}
