/* What each compiler compiles before the first request comes, to have LLVM's tables and pages in place: a bit of
   everything that programs are made of. It is never run. */
#include <stdarg.h>
#include <stddef.h>

struct pair { long first; double second; char name[16]; };
enum kind { NONE, SOME = 3, MANY };
extern struct pair table[];
extern int (*callback)(const char *, ...);
extern void *allocate(size_t);
static int depth;

int sum(int count, ...) {
    va_list list;
    int total = 0;
    va_start(list, count);
    for (int i = 0; i < count; i++) total += va_arg(list, int);
    va_end(list);
    return total;
}

struct pair swap(struct pair pair, enum kind kind) {
    struct pair result = {(long)pair.second, (double)pair.first, "swapped"};
    switch (kind) {
    case NONE: return pair;
    case SOME: result.second *= 2.5; break;
    case MANY: result.first <<= 3; break;
    default: result.name[0] ^= 0x20;
    }
    return result;
}

unsigned long long hash(const unsigned char *text, size_t length) {
    unsigned long long value = 14695981039346656037ull;
    while (length--) value = (value ^ *text++) * 1099511628211ull;
    return value / 7 % 1000003;
}

void *find(const char *name, float weight) {
    for (struct pair *at = table; at->first; at++) {
        if (at->name[0] == name[0] && at->second > weight) return at;
        if (++depth > 100) goto out;
    }
    if (callback && callback("%s %d\n", name, sum(3, 1, 2, depth)) < 0) return allocate(sizeof(struct pair));
out:
    return NULL;
}

long double average(const double *numbers, int count) {
    long double total = 0;
    double *copy = __builtin_alloca(count * sizeof *copy);
    for (int i = 0; i < count; i++) copy[i] = numbers[i] < 0 ? -numbers[i] : numbers[i];
    for (int i = 0; i < count; i++) total += copy[i];
    return count ? total / count : 0;
}
