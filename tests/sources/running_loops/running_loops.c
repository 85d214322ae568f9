// Loops that are continued in other code while they run: with values of many types, several exits, results of every
// class, variables of variable length, arguments in memory, and jumps out of them.
//# sources: thrown.cpp
//# prints: done
#include <complex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APART __attribute__((noinline))
typedef float four __attribute__((vector_size(16)));
typedef int eight __attribute__((vector_size(32)));
struct pair { long a; double b; };
struct large { long values[9]; };
struct packed { char c; int i; } __attribute__((packed));

APART static long kinds(int n, char c, unsigned short s, __int128 wide, float f, double d, long double x, four v,
                        _Bool flag, const char *text, struct packed p) {
    long sum = 0;
    eight e = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int i = 0; i < n; i++) {
        c += 3, s *= 7, wide = wide * 5 + i, f = f * 0.5f + i, d = d / 3 + f, x = x * 0.25L + d;
        v = v * 0.5f + (four){f, 1, 2, 3};
        e += i;
        flag = !flag;
        p.i += p.c++;
        sum += text[i % 5] + flag;
    }
    printf("%d %d %ld %.9g %.17g %.20Lg %g %g %d %d\n", c, s, (long)(wide >> 60), f, d, x, v[0], v[3], e[7], p.i);
    return sum;
}

APART static int nested(int n) {
    int found = 0;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            int k = i ^ j;
            while (k > 0) {
                k = k % 3 ? k - 2 : k / 3;
                found += k & 1;
                if (found == 100000) return -1;
            }
            if (j == 17) continue;
            if (i * j == 77) goto next;
            if (found > 5000 && i > 20) return found;
        }
    next:;
    }
    do found--; while (found % 10);
    return found;
}

#define SUM(type, name) \
    APART static type name(int n) { type sum = 0; for (int i = 0; i < n; i++) sum = sum * 3 / 4 + i; return sum; }
SUM(char, chars) SUM(unsigned short, shorts) SUM(long, longs) SUM(__int128, wides)
SUM(float, floats) SUM(double, doubles) SUM(long double, extendeds) SUM(_Complex double, complexes)
APART static four vectors(int n) { four sum = {0}; for (int i = 0; i < n; i++) sum = sum * 0.5f + (float)i; return sum; }
APART static struct pair pairs(int n) { struct pair p = {0}; for (int i = 0; i < n; i++) p.a += i, p.b += p.a; return p; }
APART static struct large larges(int n) {
    struct large l = {{0}};
    for (int i = 0; i < n; i++) l.values[i % 9] += i;
    return l;
}
APART static void nothing(int n, volatile int *out) { for (int i = 0; i < n; i++) *out += i; }

// The length changes with each round, and is in use behind the loop.
APART static long lengths(int n) {
    int outer[n];
    memset(outer, 0, sizeof outer);
    long sum = 0;
    for (int i = 1; i < n; i++) {
        char inner[i * 10];
        memset(inner, i, sizeof inner);
        for (int j = 0; j < i; j++) outer[j] += inner[j * 9];
        char *more = __builtin_alloca(i);
        more[i - 1] = 1;
        sum += more[i - 1];
    }
    for (int i = 0; i < n; i++) sum = sum * 31 + outer[i];
    return sum;
}

APART static long in_memory(struct large l, int n) {
    for (int i = 0; i < n; i++) l.values[i % 9] += l.values[(i + 1) % 9];
    return l.values[3];
}

APART static long variadic(int n, ...) {
    va_list list;
    va_start(list, n);
    double sum = 0;
    for (int i = 0; i < n; i++) sum = sum * 2 + (i % 2 ? va_arg(list, double) : va_arg(list, int));
    va_end(list);
    return (long)sum;
}

// Variables whose addresses others have.
APART static void write_through(int *p, int value) { *p += value; }
APART static int escaping(int n) {
    int x = 0, y = 1, *p = &x;
    for (int i = 0; i < n; i++) {
        write_through(p, i);
        if (i == n / 2) p = &y;
        x++;
    }
    return x * 1000 + y;
}

static jmp_buf out;
APART static void leave(int n) { for (int i = 0;; i++) if (i == n) longjmp(out, i); }
// setjmp's own frame is not left.
APART static int jumps(int n) {
    volatile int times = 0;
    for (int i = 0; i < n; i++) {
        if (setjmp(out) == 0) leave(i + 3);
        times++;
    }
    return times;
}

APART static int recursive(int n) {
    int sum = 1;
    for (int i = 0; i < n; i++) sum += recursive(i);
    return sum;
}

APART static int dispatch(const char *program) {
    int a = 0, b = 1;
    for (;;) switch (*program++) {
        case '+': a += b; break;
        case '-': a -= b; break;
        case '*': b *= 2; break;
        case '<': b = a & 7; break;
        case 0: return a * 100 + b;
        default: a ^= b;
    }
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int thrown(int n);

int main(void) {
    struct large l = {{1, 2, 3, 4, 5, 6, 7, 8, 9}};
    printf("%ld\n", kinds(40, 1, 2, 3, 4, 5, 6, (four){1, 2, 3, 4}, 1, "hello", (struct packed){1, 2}));
    printf("%d %d\n", nested(30), nested(8));
    printf("%d %d %ld %ld\n", chars(30), shorts(30), longs(30), (long)wides(30));
    printf("%.9g %.17g %.20Lg\n", floats(30), doubles(30), extendeds(30));
    printf("%g %g\n", creal(complexes(30)), vectors(30)[2]);
    printf("%ld %g %ld\n", pairs(30).a, pairs(30).b, larges(30).values[4]);
    volatile int count = 0;
    nothing(30, &count);
    printf("%d %ld %ld\n", count, lengths(30), in_memory(l, 30));
    printf("%ld %d\n", variadic(6, 1, 2.0, 3, 4.0, 5, 6.0), escaping(30));
    printf("%d %d %d\n", jumps(10), recursive(10), dispatch("++*+x<*-+**<+"));
    int numbers[50];
    for (int i = 0; i < 50; i++) numbers[i] = i * 37 % 50;
    qsort(numbers, 50, sizeof *numbers, compare);
    for (int i = 0; i < 50; i++) if (numbers[i] != i) abort();
    printf("%d\n", thrown(20));
    puts("done");
    return 0;
}
