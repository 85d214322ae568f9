// The C unit of language_mix.cpp.
#include <stdlib.h>

int from_c(int);

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

int c_part(int (*callback)(int), int value) { return callback(value) * (callback == from_c ? 2 : 1); }
void c_sort(int *values, int count) { qsort(values, (size_t)count, sizeof *values, compare); }
