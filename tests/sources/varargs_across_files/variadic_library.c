// The library of varargs_across_files.c.
#include <stdarg.h>

double library_sum(int *rest, ...) {
    va_list list;
    va_start(list, rest);
    double sum = 0;
    for (int i = 0; i < 9; i++) sum += va_arg(list, double);
    *rest = va_arg(list, int);
    va_end(list);
    return sum;
}
