// The second unit of varargs_across_files.c.
#include <stdarg.h>
#include <stdio.h>

struct pair { int a, b; };

int print_all(const char *format, ...) {
    va_list list;
    va_start(list, format);
    int i = va_arg(list, int);
    double d = va_arg(list, double);
    const char *s = va_arg(list, const char *);
    struct pair p = va_arg(list, struct pair);
    va_end(list);
    return printf("other file %d %.1f %s (%d,%d)\n", i, d, s, p.a, p.b);
}

int vprint_all(const char *format, va_list list) {
    (void)format;
    return vprintf("handed on %d %d %.1f\n", list);
}

int next_of(va_list *list) { return va_arg(*list, int); }
