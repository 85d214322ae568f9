// Runs the same work twice and prints for each pass the time it took (wall-clock and processor time, in milliseconds)
// and what it computed. The second pass calls nothing for the first time.
#include <stdio.h>
#include <time.h>

static double milliseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static int passes(long (*work)(void)) {
    for (int pass = 0; pass < 2; pass++) {
        double wall = milliseconds(CLOCK_MONOTONIC), processor = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
        long result = work();
        processor = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - processor;
        wall = milliseconds(CLOCK_MONOTONIC) - wall;
        if (result < 0) return 2;
        printf("%.3f %.3f %ld\n", wall, processor, result);
    }
    return 0;
}
