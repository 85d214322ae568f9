// Exercises what the C compiler refers to from a body; check() returns 0 or the number of what went wrong.
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int zeros[1000];
static int counter = 41;
int table[4] = {1, 2, 3, 4};
const char *names[] = {"null", "one", "two"};
extern int nowhere(void) __attribute__((weak));
extern int no_data __attribute__((weak));

static int add(int a, int b) { return a + b; }
static int sub(int a, int b) { return a - b; }
static int (*const operations[])(int, int) = {add, sub};

int twice(int x) { return 2 * x; }
int (*volatile pointer)(int) = twice;

__attribute__((noinline)) static const char *kind(int n) {
  switch (n) {
  case 0: return "zero";
  case 1: return "one";
  case 2: return "two";
  case 3: return "three";
  case 4: return "four";
  case 5: return "five";
  case 6: return "six";
  default: return "many";
  }
}

__attribute__((noinline)) static int jump(int n) {
  switch (n) {
  case 0: counter += 3; return puts == 0;
  case 1: return abs(-4) + counter;
  case 2: counter *= 2; return 7;
  case 3: return (int)strlen(names[1]);
  case 4: zeros[4]++; return zeros[4];
  case 5: return twice(n);
  }
  return -1;
}

__attribute__((noinline)) static int interpret(const unsigned char *code) {
  static const void *const labels[] = {&&stop, &&increment, &&twofold};
  int value = 0;
  goto *labels[*code++];
increment:
  value += 1;
  goto *labels[*code++];
twofold:
  value *= 2;
  goto *labels[*code++];
stop:
  return value;
}

__attribute__((noinline)) static int total(int n, ...) {
  va_list list;
  va_start(list, n);
  int sum = 0;
  for (int i = 0; i < n; i++) sum += va_arg(list, int);
  va_end(list);
  return sum;
}

static int compare(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

struct big { long v[8]; };
__attribute__((noinline)) static struct big fill(long n) {
  struct big b;
  for (int i = 0; i < 8; i++) b.v[i] = n + i;
  return b;
}

__attribute__((noinline)) static long factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }
__attribute__((noinline)) static double mean(const double *v, int n) {
  double sum = 0.25;
  for (int i = 0; i < n; i++) sum += v[i] * 1.5;
  return sum / 3.0;
}

int check(void) {
  char text[64];
  snprintf(text, sizeof text, "%s %d %.2f %s", kind(3), counter, 2.5, names[2]);
  if (strcmp(text, "three 41 2.50 two")) return 1;
  if (operations[0](3, 4) != 7 || operations[1](3, 4) != -1) return 2;
  if (pointer != twice || pointer(21) != 42) return 3;
  if (jump(0) != 0 || jump(1) != 48 || jump(3) != 3 || jump(4) != 1 || jump(5) != 10) return 4;
  if (interpret((const unsigned char *)"\1\2\1\2\0") != 6) return 5;
  if (total(5, 1, 2, 3, 4, 5) != 15) return 6;
  int sorted[] = {5, 3, 9, 1};
  qsort(sorted, 4, sizeof *sorted, compare);
  if (sorted[0] != 1 || sorted[3] != 9) return 7;
  if (fill(10).v[7] != 17) return 8;
  if (factorial(10) != 3628800) return 9;
  double values[] = {1, 2, 3};
  if (mean(values, 3) != 9.25 / 3.0) return 10;
  if (nowhere || &no_data) return 11;
  if (zeros[999] || table[2] != 3) return 12;
  struct big copy = fill(1), other;
  memcpy(&other, &copy, sizeof other);
  if (memcmp(&other, &copy, sizeof other)) return 13;
  if (fabs(sqrt(2.0 * counter) - 9.38083151964686) > 1e-9) return 14;
  long double l = 1.0L / 3;
  if ((int)(l * 3000) != 1000) return 15;
  return 0;
}
