// Compresses the same 20 MB twice with bzip2's library, as bzip2 -1 does, and prints for each pass the time it took
// (wall-clock and processor time, in milliseconds) and the size and checksum of its result. The second pass calls
// nothing for the first time.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bzlib.h"

enum { INPUT = 20000000, OUTPUT = INPUT + INPUT / 100 + 600 };

static double milliseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

// Words and numbers: compressible, but not trivially, and the same in every run.
static void fill(char *text) {
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

int main(void) {
    char *text = malloc(INPUT + 32), *packed = malloc(OUTPUT);
    if (!text || !packed) return 1;
    fill(text);
    for (int pass = 0; pass < 2; pass++) {
        unsigned size = OUTPUT;
        double wall = milliseconds(CLOCK_MONOTONIC), processor = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
        if (BZ2_bzBuffToBuffCompress(packed, &size, text, INPUT, 1, 0, 0) != BZ_OK) return 2;
        processor = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - processor;
        wall = milliseconds(CLOCK_MONOTONIC) - wall;
        uint64_t sum = 14695981039346656037u;
        for (unsigned i = 0; i < size; i++) sum = (sum ^ (unsigned char)packed[i]) * 1099511628211u; // FNV-1a
        printf("%.3f %.3f %u %016llx\n", wall, processor, size, (unsigned long long)sum);
    }
    free(text);
    free(packed);
    return 0;
}
