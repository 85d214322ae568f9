// What optimisers know of the sizes of variables: in optimised builds, inline functions ask for them, and
// _FORTIFY_SOURCE ends programs that write beyond.
//# sources: sizes_elsewhere.c
//# flags: -D_FORTIFY_SOURCE=2 -fno-stack-protector
//# linkers: lld
//# levels: o1 o2 o3_g os o2_pic
//# prints: sizes 8 10 8 20 80000 7 12
//# prints: parts 10 6
//# prints: unknown 1 1 1
//# prints: copied, as it fits
//# prints: ended by signals 6 6 6 6 6
//# prints: and by 6 6 6
//# lazy: main variable part local alias constant table overflow passed through_result through_member along
//# lazy: text counted appended
//# stats: compiled >= 8
//# refuses: __builtin_object_size
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char array[8];
static char local_array[12];
extern char other_name[8] __attribute__((alias("array")));
const char constant_text[20] = "x";
const int many[20000] = {1};
char replaceable[16] __attribute__((weak));
extern char elsewhere[];
struct {
    char first[4], second[6];
} structure;

static inline size_t size(const void *p) { return __builtin_object_size(p, 0); }
static inline size_t part_size(const void *p) { return __builtin_object_size(p, 1); }
static inline size_t run_time_size(const void *p) { return __builtin_dynamic_object_size(p, 0); }

#define APART __attribute__((noinline))
APART size_t variable(void) { return size(array); }
APART size_t local(void) { return size(local_array + 2); }
APART size_t alias(void) { return size(other_name); }
APART size_t constant(void) { return size(constant_text); }
APART size_t table(void) { return size(many); }
APART size_t from(int i) { return run_time_size(array + i); }
APART size_t either(int first) { return size(first ? array : local_array); }
APART int part(void) { return size(structure.first) * 10 + part_size(structure.second); }
APART size_t weak(void) { return size(replaceable); }
APART size_t undefined(void) { return size(elsewhere); }
APART void overflow(const char *what) { strcpy(array, what); }

// Only once a function is inlined, or memory is forgotten, the object is in sight.
static void to(char *object, const char *what) { strcpy(object, what); }
APART void passed(const char *what) { to(array, what); }
static char *result(void) { return local_array; }
APART void through_result(const char *what) { strcpy(result(), what); }
struct holder {
    int number;
    char *text;
};
APART void through_member(struct holder *holder, const char *what) {
    holder->text = array;
    strcpy(holder->text, what);
}
APART void along(const char *what) {
    char small[8];
    char *at = small;
    *at++ = 'a';
    strcpy(at, what);
    array[0] = small[1];
}
// As large as a text that is there, from where a number says that was written before, or the end of a text.
static char *as_large(const char *text) { return malloc(strlen(text) + 1); }
APART void text(const char *what) {
    char *copy = as_large("seven..");
    strcpy(copy, what);
    array[1] = copy[0];
}
struct block {
    size_t used;
    char text[8];
};
static char other_array[20];
APART void count(struct block *block, const char *what) {
    block->used = 4;
    const size_t length = strlen(what);
    strcpy(other_array + block->used, what);
    block->used += length;
}
APART void counted(const char *what) {
    static struct block block;
    count(&block, what);
}
APART void appended(const char *what) {
    char small[30];
    strcpy(stpcpy(small, "seven.."), what);
    array[3] = small[9];
}
static struct holder held;
APART void member(const char *what) { through_member(&held, what); }

// The signal that ends a process in which this is done.
static int end(void (*by)(const char *)) {
    pid_t child = fork();
    if (child == 0) {
        // The message of the C library goes to the terminal, if there is one.
        close(2);
        by("more than eight characters");
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(int argc, char **argv) {
    printf("sizes %zu %zu %zu %zu %zu %zu %zu\n", variable(), local(), alias(), constant(), table(), from(argc), either(argc));
    printf("parts %d %d\n", part() / 10, part() % 10);
    printf("unknown %d %d %d\n", weak() == (size_t)-1, undefined() == (size_t)-1, size(argv) == (size_t)-1);
    overflow("copied,");
    printf("%s as it fits\n", array);
    fflush(stdout);
    printf("ended by signals %d %d %d %d %d\n", end(overflow), end(passed), end(through_result), end(member), end(along));
    printf("and by %d %d %d\n", end(text), end(counted), end(appended));
    return 0;
}
