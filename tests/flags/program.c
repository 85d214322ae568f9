// Calls of every kind that flags can change: direct, indirect, variadic, recursive; locals in arrays; floating point.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static __thread int per_thread = 1;
static int table[] = {3, 1, 2};

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

__attribute__((noinline)) int sum(int count, ...) {
  va_list list;
  int total = 0;
  va_start(list, count);
  while (count--) total += va_arg(list, int);
  va_end(list);
  return total;
}

__attribute__((noinline)) int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

__attribute__((noinline)) double root(double x) { return sqrt(x) + fabs(-x); }

__attribute__((noinline)) void copy(const char *text) {
  char room[64];
  strcpy(room, text);
  printf("%s %zu\n", room, strlen(room));
}

int (*volatile indirect)(int) = fibonacci;

int main(int argc, char **argv) {
  qsort(table, 3, sizeof *table, compare);
  per_thread += argc;
  printf("%d%d%d %d %d %d %.1f %d\n", table[0], table[1], table[2], sum(3, 4, 5, 6), indirect(12), fibonacci(7),
         root(16.0), per_thread);
  copy("copied");
  switch (argc + 3) {
  case 1: puts("one"); break;
  case 2: puts("two"); break;
  case 3: puts("three"); break;
  case 4: printf("four %d\n", (int)wcslen(L"wide")); break;
  default: puts("many");
  }
  free(malloc(10));
  return argv[argc] != 0;
}
