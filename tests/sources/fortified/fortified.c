// Builds with _FORTIFY_SOURCE: what programs are told of the sizes of objects is certain before an optimiser has seen them, for nearly all
// that they write to. Objects that are in sight stay protected, others are written without a check, as in the plain build.
//# flags: -D_FORTIFY_SOURCE=2 -fno-stack-protector
//# linkers: lld
//# levels: o1 o2 o3_g os o2_pic
//# prints: one two 3 of 3
//# prints: one-two-three-four-five-six-seven
//# prints: ended 6 6 6 6 6 6
//# prints: not ended 0
//# lazy: main fill chain local global static_array allocated member through_variable fits append
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct record {
    char *text;
    char name[8];
    int length;
};

volatile char seen;
char global_array[8];
static char local_array[12];

// Memory that others have allocated, however they did.
void fill(struct record *to, const char *text) {
    strcpy(to->name, text);
    memset(to->text, 0, to->length);
    strncpy(to->text, text, to->length - 1);
}

// A pointer that moves along what it was given.
char *chain(char *end, const char *const *parts) {
    for (; *parts; ++parts) {
        end = stpcpy(end, *parts);
        if (parts[1]) {
            memcpy(end, "-", 2);
            end = end + 1;
        }
    }
    return end;
}

void local(const char *what) {
    char small[8];
    strcpy(small, what);
    seen = small[0];
}
void global(const char *what) { strcpy(global_array, what); }
void static_array(const char *what) { strcat(local_array + 2, what); }
void allocated(const char *what) {
    char *new = malloc(8);
    if (!new)
        return;
    strcpy(new, what);
    free(new);
}
void member(const char *what) {
    struct record own;
    memset(&own, 0, sizeof own);
    memcpy(own.name, what, strlen(what) + 1);
    seen = own.name[0];
}
void through_variable(const char *what) {
    char *to = global_array + 4;
    if (what[0] == 'm')
        strcpy(to, what);
}
void fits(const char *what) {
    char large[64];
    strcpy(large, what);
    seen = large[0];
}
void append(const char *what) {
    char *copy = malloc(strlen(what) + 30);
    strcpy(copy, what);
    strcat(copy, " and more");
    free(copy);
}

static int ended(void (*by)(const char *)) {
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
    struct record *all = calloc(argc + 2, sizeof *all);
    all->length = argc + 3;
    all->text = malloc(all->length);
    fill(all, "one");
    printf("%s two %d of %zu\n", all->name, (int)strlen(all->text), strlen(all->name));
    const char *const parts[] = {"one", "two", "three", "four", "five", "six", "seven", NULL};
    char *joined = malloc(argc + 63);
    chain(joined, parts);
    puts(joined);
    fflush(stdout);
    printf("ended %d %d %d %d %d %d\n", ended(local), ended(global), ended(static_array), ended(allocated), ended(member),
           ended(through_variable));
    append(argv[0]);
    printf("not ended %d\n", ended(fits));
    return argv[argc] != NULL;
}
