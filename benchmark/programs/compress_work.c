// Compresses 20 MB with bzip2's library, as bzip2 -1 does.
#include <stdint.h>
#include <stdlib.h>

#include "bzlib.h"

#include "passes.h"

enum { INPUT = 20000000, OUTPUT = INPUT + INPUT / 100 + 600 };

static char *text, *packed;

// Words and numbers: compressible, but not trivially, and the same in every run.
static void fill(void) {
    static const char *const words[8] = {"lazy", "function", "stub", "slot", "trampoline", "first", "call", "\n"};
    uint64_t state = 88172645463325252u;
    for (size_t length = 0; length < INPUT;) {
        // xorshift64 (Marsaglia 2003)
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        int written = snprintf(text + length, 32, "%s%u ", words[state % 8], (unsigned)(state % 1000));
        length += (size_t)written;
    }
}

// The result's size and checksum.
static long work(void) {
    unsigned size = OUTPUT;
    if (BZ2_bzBuffToBuffCompress(packed, &size, text, INPUT, 1, 0, 0) != BZ_OK) return -1;
    uint64_t sum = 14695981039346656037u + size;
    for (unsigned i = 0; i < size; i++) sum = (sum ^ (unsigned char)packed[i]) * 1099511628211u; // FNV-1a
    return (long)(sum >> 1);
}

int main(void) {
    text = malloc(INPUT + 32);
    packed = malloc(OUTPUT);
    if (!text || !packed) return 1;
    fill();
    return passes(work);
}
