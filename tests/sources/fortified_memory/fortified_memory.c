// Builds with _FORTIFY_SOURCE: addresses and numbers that go through memory, loops and calls before programs ask for the size of an object.
// No optimiser knows them, though something known is written elsewhere, so nothing has to wait for one.
//# sources: elsewhere.c
//# flags: -D_FORTIFY_SOURCE=2 -fno-stack-protector
//# linkers: lld
//# levels: o1 o2 o3_g os o2_pic
//# prints: constants 0 0 0 0
//# prints: loops aceg... 12
//# prints: blocks 3 onetwothree
//# prints: items 3, refilled refilled
//# prints: sized known text
//# prints: flushed 3 times: more
//# prints: read 0
//# prints: named known, ends at 12
//# lazy: main constants moved gather add refill sized put_all reads named ends
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void elsewhere(void);

struct buffer {
    char *text;
    size_t used, size;
};
struct name {
    const char *first;
    int number;
};
static char known[16];
struct name names = {"nothing", 1};
static struct buffer fixed;

// What the C library's headers ask of every size.
void constants(const struct buffer *of, int count) {
    int answers[4] = {0, 0, 0, 0};
    for (int i = 0; i < count; ++i)
        answers[0] += __builtin_constant_p(i);
    elsewhere();
    answers[1] = __builtin_constant_p(of->used);
    answers[2] = __builtin_constant_p(strlen(of->text));
    answers[3] = __builtin_constant_p(fixed.used - of->size);
    printf("constants %d %d %d %d\n", answers[0], answers[1], answers[2], answers[3]);
}

// Each step doubles what there would be to look at, if all ways were gone.
void moved(const char *text) {
    char all[64], *to = all;
    for (const char *at = text; *at; ++at) {
#define TAKE(c) if (*at == c) *to++ = *at;
        TAKE('a') TAKE('c') TAKE('e') TAKE('g') TAKE('i') TAKE('k') TAKE('m') TAKE('o') TAKE('q') TAKE('s')
        TAKE('A') TAKE('C') TAKE('E') TAKE('G') TAKE('I') TAKE('K') TAKE('M') TAKE('O') TAKE('Q') TAKE('S')
    }
    strcpy(to, "... ");
    sprintf(to + 4, "%zu", strlen(text));
    printf("loops %s\n", all);
}

// Blocks of which the last one is filled, from where a number in it says.
struct block {
    size_t used;
    struct block *next;
    char text[200];
};
void gather(const char *const *parts) {
    struct block *first = malloc(sizeof *first), *last = first;
    first->used = 0;
    first->next = NULL;
    int count = 0;
    for (; *parts; ++parts, ++count) {
        size_t length = strlen(*parts);
        elsewhere();
        if (last->used + length > sizeof last->text) {
            last->next = malloc(sizeof *last);
            last = last->next;
            last->used = 0;
            last->next = NULL;
        }
        memcpy(&last->text[last->used], *parts, length + 1);
        last->used += length;
    }
    printf("blocks %d %s\n", count, first->text);
}

struct item {
    char text[40];
};
static struct item *items;
static size_t items_used;
void prepare(void) {
    items = malloc(8 * sizeof *items);
    items_used = 0;
    names.first = "known";
}
void add(const char *text) {
    if (*text == '-')
        items_used = 0;
    elsewhere();
    memset(&items[items_used], 0, sizeof *items);
    strcpy(items[items_used].text, text);
    ++items_used;
}

// A structure's first member, where another's is known.
__attribute__((noinline)) void refill(struct buffer *buffer, const char *text) {
    if (strlen(text) >= buffer->size) {
        buffer->size = strlen(text) + 1;
        buffer->text = realloc(buffer->text, buffer->size);
    }
    memset(buffer->text, 0, buffer->size);
    strcpy(buffer->text, text);
    buffer->used = strlen(text);
}

// As much as is in an array.
char *sized(const char *text) {
    char *copy = malloc(strlen(text) + 1);
    strcpy(copy, text);
    return copy;
}

// A variable that another function sets to what it was given.
static int flushes;
__attribute__((noinline)) static void flush(char *all, char **at) {
    ++flushes;
    *at = all;
}
void put_all(char *all, size_t size, const char *text) {
    char *at = all;
    for (int i = 0; i < 7; ++i) {
        if (at + strlen(text) >= all + size)
            flush(all, &at);
        at = stpcpy(at, text);
    }
    printf("flushed %d times: %s\n", flushes, all);
}

void reads(char *to, size_t size) {
    FILE *nothing = fopen("/dev/null", "r");
    printf("read %zu\n", fread(to, 1, size, nothing));
    fclose(nothing);
}

// A member that is known elsewhere: callers have called others since.
char *named(const struct name *of) {
    char *copy = malloc(strlen(of->first) + 1);
    strcpy(copy, of->first);
    return copy;
}

// The end of a text that is there.
size_t ends(const char *text) {
    char all[30];
    strcpy(stpcpy(all, "seven.."), text);
    elsewhere();
    return strlen(all);
}

int main(int argc, char **argv) {
    struct buffer buffer = {NULL, argc, argc};
    buffer.text = calloc(argc, 1);
    constants(&buffer, argc + 20);
    moved("abcdefghjlnp");
    const char *const parts[] = {"one", "two", "three", NULL};
    gather(parts);
    prepare();
    for (int i = 0; parts[i]; ++i)
        add(parts[i]);
    refill(&buffer, "refilled");
    refill(&fixed, "refilled");
    printf("items %zu, %s %s\n", items_used, buffer.text, fixed.text);
    strcpy(known, argc > 100 ? argv[1] : "known text");
    printf("sized %s\n", sized(known));
    char *all = malloc(argc + 10);
    put_all(all, argc + 10, "more");
    reads(all, argc);
    // What is written to an element is in no member.
    const char **list = malloc(argc * sizeof *list);
    *list = "there.";
    elsewhere();
    printf("named %s, ends at %zu\n", named(&names), ends(parts[2]));
    return list[0][0] - 't' + names.number - 1;
}
