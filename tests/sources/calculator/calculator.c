// A medium C program, for every combination of flags: a tokenizer, a recursive parser, a hash table, sorting.
//# levels: every
//# args: 2+3*4 x=(7-2)*6 x/4-100 1/0 y y=x*x+x
//# prints: 2+3*4 = 14
//# prints: x/4-100 = -93
//# prints: 1/0: division by zero
//# prints: y = 930
//# lazy: main
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct variable {
    char name[16];
    long value;
    struct variable *next;
};

static struct variable *buckets[8];
static const char *failure;
static const char *at;

static unsigned hash(const char *name) {
    unsigned h = 5381;
    while (*name) h = h * 33 + (unsigned char)*name++;
    return h % 8;
}

static struct variable *find(const char *name) {
    struct variable **bucket = &buckets[hash(name)], *v;
    for (v = *bucket; v; v = v->next)
        if (!strcmp(v->name, name)) return v;
    v = calloc(1, sizeof *v);
    strncpy(v->name, name, sizeof v->name - 1);
    v->next = *bucket;
    return *bucket = v;
}

static long add(long a, long b) { return a + b; }
static long subtract(long a, long b) { return a - b; }
static long multiply(long a, long b) { return a * b; }
static long divide(long a, long b) {
    if (!b) failure = "division by zero";
    return b ? a / b : 0;
}

static const struct {
    char symbol;
    int level;
    long (*apply)(long, long);
} operators[] = {{'+', 0, add}, {'-', 0, subtract}, {'*', 1, multiply}, {'/', 1, divide}};

static long expression(int level);

static long atom(void) {
    if (isdigit((unsigned char)*at)) return strtol(at, (char **)&at, 10);
    if (isalpha((unsigned char)*at)) {
        char name[16] = {0};
        for (int i = 0; isalnum((unsigned char)*at) && i < 15; i++) name[i] = *at++;
        struct variable *v = find(name);
        if (*at == '=') at++, v->value = expression(0);
        return v->value;
    }
    if (*at == '(') {
        at++;
        long value = expression(0);
        if (*at == ')') at++;
        return value;
    }
    failure = "syntax error";
    return 0;
}

static long expression(int level) {
    if (level == 2) return atom();
    long left = expression(level + 1);
    for (;;) {
        unsigned i;
        for (i = 0; i < 4; i++)
            if (operators[i].symbol == *at && operators[i].level == level) break;
        if (i == 4 || !*at) return left;
        at++;
        left = operators[i].apply(left, expression(level + 1));
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(struct variable *const *)a)->name, (*(struct variable *const *)b)->name);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        failure = NULL;
        at = argv[i];
        long value = expression(0);
        if (failure) printf("%s: %s\n", argv[i], failure);
        else printf("%s = %ld\n", argv[i], value);
    }
    struct variable *all[16];
    unsigned count = 0;
    for (unsigned i = 0; i < 8; i++)
        for (struct variable *v = buckets[i]; v; v = v->next) all[count++] = v;
    qsort(all, count, sizeof *all, by_name);
    for (unsigned i = 0; i < count; i++) printf("%s = %ld\n", all[i]->name, all[i]->value);
    return 0;
}
