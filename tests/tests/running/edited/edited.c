#include <stdio.h>
#include <string.h>
#include "edited.h"

#define HOT __attribute__((noinline))

int zero;

struct node {
    int key;
    struct node *next;
};

static const unsigned table[4] = { 3, 1, 4, 1 };

static unsigned mix(unsigned x) { return x * 2654435761u ^ x ^ x >> 7; }

HOT unsigned mixes(unsigned x) { return mix(x) + mix(x + 1); }
HOT unsigned mixes_too(unsigned x) { return mix(x + 2) ^ 5; }
HOT unsigned folds(unsigned x) { return x + table[0]; }
HOT unsigned measures(unsigned x) { return x + (unsigned)strlen("length"); }
HOT unsigned follows(const struct node *node, unsigned x) { return (unsigned)node->next->key + x; }
HOT unsigned includes(unsigned x) { return from_header(x); }

__attribute__((const)) unsigned known(unsigned x);
HOT unsigned asks(unsigned x) { return known(x) ^ known(x) << 1; }
HOT int wraps(int x) { return x + 1 > x; }
HOT unsigned edited(unsigned x) { return x * 5 + 1; }

int main(void) {
    struct node nodes[2] = { { 7, &nodes[1] }, { 9, &nodes[0] } };
    unsigned sum = 0;
    for (unsigned x = 0; x < 400; x++) {
        sum += mixes(x) + mixes_too(x) + folds(x) + measures(x) + follows(nodes, x) + includes(x) + edited(x);
        sum += asks(x) + (unsigned)wraps((int)x);
    }
    printf("%u\n", sum);
    return 0;
}

HOT unsigned known(unsigned x) { return x + 1000; }
