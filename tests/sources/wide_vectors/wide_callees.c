// The second unit of wide_vectors.c.
#include <stdarg.h>

#include "wide_vectors.h"

v8df sum(v8df a, v8df b) { return a + b; }
v8df eight(v8df a, v8df b, v8df c, v8df d, v8df e, v8df f, v8df g, v8df h) {
    return sum(a, b) + c + d + e + f + sum(g, h);
}
v8df ten(v8df a, v8df b, v8df c, v8df d, v8df e, v8df f, v8df g, v8df h, v8df i, v8df j) {
    return eight(a, b, c, d, e, f, g, h) + i + j;
}
v8df variadic(int count, ...) {
    va_list list;
    va_start(list, count);
    v8df total = {0};
    while (count--) total += va_arg(list, v8df);
    va_end(list);
    return total;
}
struct v structure(struct v x) { return (struct v){x.a * (double)x.b, x.b}; }
__attribute__((regcall)) v8df sixteen(v8df a, v8df b, v8df c, v8df d, v8df e, v8df f, v8df g, v8df h, v8df i,
                                      v8df j, v8df k, v8df l, v8df m, v8df n, v8df o, v8df p) {
    return a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p;
}
__attribute__((intel_ocl_bicc)) v8df preserving(v8df x) { return x; }
binary *pointer_to_sum(void) { return sum; }
int callees(void) { return 8; }
