// Switches that become jump tables, bit tests, lookup tables and comparison trees; strings that become tables.
//# prints: dense 10 11 12 13 14 15 16 17 -1
//# prints: sparse 1 2 3 4 0
//# prints: names zero one two three many
//# prints: vowels 5
//# prints: wide 3 2 1 0
#include <stdio.h>

int dense(int x) {
    switch (x) {
    case 0: return putchar('d'), 10;
    case 1: return printf("%s", "e") + 10;
    case 2: return puts("") * 0 + 12;
    case 3: return 13 + (x & 4);
    case 4: return x * 3 + 2;
    case 5: return 20 - x;
    case 6: return x + 10;
    case 7: return 24 - x;
    default: return -1;
    }
}

int sparse(int x) {
    switch (x) {
    case -1000000: return 1;
    case 0: return 2;
    case 77777: return 3;
    case 2000000000: return 4;
    default: return 0;
    }
}

const char *name(unsigned x) {
    switch (x) {
    case 0: return "zero";
    case 1: return "one";
    case 2: return "two";
    case 3: return "three";
    default: return "many";
    }
}

static int vowel(char c) {
    switch (c) {
    case 'a': case 'e': case 'i': case 'o': case 'u': return 1;
    default: return 0;
    }
}

int wide(unsigned long x) {
    switch (x) {
    case 0x100000000 ... 0x1ffffffff: return 1;
    case 0x200000000 ... 0x2ffffffff: return 2;
    case 0xffffffffffffffff: return 3;
    default: return 0;
    }
}

int main(void) {
    int results[9];
    for (int i = 0; i < 9; i++) results[i] = dense(i);
    printf("dense");
    for (int i = 0; i < 9; i++) printf(" %d", results[i]);
    printf("\nsparse %d %d %d %d %d\n", sparse(-1000000), sparse(0), sparse(77777), sparse(2000000000), sparse(5));
    printf("names %s %s %s %s %s\n", name(0), name(1), name(2), name(3), name(4));
    int vowels = 0;
    for (const char *c = "education"; *c; c++) vowels += vowel(*c);
    printf("vowels %d\n", vowels);
    printf("wide %d %d %d %d\n", wide(-1UL), wide(0x2abcdef00), wide(0x1abcdef00), wide(42));
    return 0;
}
