// Variable arguments of every class, first called through a stub: none of them may be lost on the way.
//# prints: sum 55
//# prints: doubles 45.0
//# prints: mixed 1 2.5 three 4 (5,6,7) 8.25 9
//# prints: forwarded 10 eleven 12.5
//# prints: pointer 36.5
#include <stdarg.h>
#include <stdio.h>

struct triple { long a, b, c; };

int sum(int count, ...) {
    va_list list;
    int total = 0;
    va_start(list, count);
    while (count--) total += va_arg(list, int);
    va_end(list);
    return total;
}

double doubles(int count, ...) {
    va_list list, copy;
    double total = 0;
    va_start(list, count);
    va_copy(copy, list);
    while (count--) total += va_arg(list, double);
    total += va_arg(copy, double) - 1.0;
    va_end(copy);
    va_end(list);
    return total;
}

void mixed(const char *what, ...) {
    va_list list;
    va_start(list, what);
    int i = va_arg(list, int);
    double d = va_arg(list, double);
    const char *s = va_arg(list, const char *);
    long l = va_arg(list, long);
    struct triple t = va_arg(list, struct triple);
    long double x = va_arg(list, long double);
    printf("%s %d %.1f %s %ld (%ld,%ld,%ld) %.2Lf %d\n", what, i, d, s, l, t.a, t.b, t.c, x, va_arg(list, int));
    va_end(list);
}

static void forward(const char *format, ...) {
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
}

int main(void) {
    printf("sum %d\n", sum(10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    printf("doubles %.1f\n", doubles(9, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0));
    mixed("mixed", 1, 2.5, "three", 4L, (struct triple){5, 6, 7}, 8.25L, 9);
    forward("forwarded %d %s %.1f\n", 10, "eleven", 12.5);
    double (*pointer)(int, ...) = doubles;
    printf("pointer %.1f\n", pointer(8, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.5));
    return 0;
}
