// Two loops, one in what the other calls, that go on until both were continued: what unwinders see of them before and
// after. With an argument, the file of that name is written then, and the program waits until it is gone.
#define _GNU_SOURCE
#include <execinfo.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#define APART __attribute__((noinline))
enum { MOST = 64 };
struct trace { int count; void *frames[MOST]; };

static _Unwind_Reason_Code note(struct _Unwind_Context *context, void *data) {
    struct trace *trace = data;
    // As the C library does.
    if (_Unwind_GetIP(context) == 0) return _URC_NO_REASON;
    if (trace->count < MOST) trace->frames[trace->count++] = (void *)_Unwind_GetIP(context);
    return _URC_NO_REASON;
}

// Of the function that calls it: both unwinders must see the same.
APART static void look(struct trace *trace) {
    void *frames[MOST];
    int count = backtrace(frames, MOST);
    trace->count = 0;
    _Unwind_Backtrace(note, trace);
    // The innermost frame is this function's own, in another place.
    if (count != trace->count || memcmp(frames + 1, trace->frames + 1, (count - 1) * sizeof *frames) != 0)
        puts("the unwinders do not agree");
}

APART static void *caller(void) { return __builtin_return_address(0); }

static struct trace before, between, after;
static time_t end;
static const char *file;

APART static void wait_for_others(void) {
    if (!file) return;
    fclose(fopen(file, "w"));
    while (access(file, F_OK) == 0) usleep(1000);
}

// Goes on until its loop is continued, from then on only if it is to be.
APART static int inner(int wait) {
    void *first = NULL;
    for (int round = 0; time(NULL) < end; round++) {
        void *now = caller();
        if (round == 0) first = now;
        if (wait ? now != first : round == 3) {
            if (wait) look(&after), wait_for_others();
            return 1;
        }
    }
    return 0;
}

APART static int outer(void) {
    void *first = NULL;
    // So that no call is the last thing that is done.
    volatile int sum = 0;
    for (int round = 0; time(NULL) < end; round++) {
        void *now = caller();
        if (round == 0) look(&before), first = now;
        if (now != first) {
            look(&between);
            return sum + inner(1);
        }
    }
    return 0;
}

// What `one` has and `other` does not, between the innermost frames and the outermost ones, which are the same.
static int more(const struct trace *one, const struct trace *other) {
    int same = 0;
    while (same < other->count && one->frames[one->count - 1 - same] == other->frames[other->count - 1 - same]) same++;
    printf("the same from main on: %s\n", same >= 2 ? "yes" : "no");
    return one->count - other->count;
}

int main(int argc, char **argv) {
    file = argc > 1 ? argv[1] : NULL;
    end = time(NULL) + 60;
    printf("%d\n", outer());
    printf("%d more\n", more(&between, &before));
    printf("%d more\n", more(&after, &between));
    return 0;
}
