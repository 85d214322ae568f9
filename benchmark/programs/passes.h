// Does the same work again and again: as often as $PASSES says, or once, and once more for each byte on standard input. Prints for each pass the
// processor time that it took, in milliseconds, and what it computed. Only the first pass calls anything for the first time.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double processor_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static int passes(long (*work)(void)) {
    const char *many = getenv("PASSES");
    int more = many == NULL ? 0 : atoi(many) - 1;
    do {
        double start = processor_time();
        long result = work();
        if (result < 0) return 2;
        printf("%.3f %ld\n", processor_time() - start, result);
        fflush(stdout);
    } while (more-- > 0 || getchar() != EOF);
    return 0;
}
