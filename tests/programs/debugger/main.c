/* What gdb shows of this is compared between a plain and a lazy build. */
#include <stdio.h>
struct pair { int first, second; };
enum colour { RED, GREEN };
int other_total(int);
struct pair origin = {1, 2};
enum colour colour = GREEN;
static int counter;
static const int squares[] = {0, 1, 4, 9};

int add(int a, int b) {
  int sum = a + b;
  counter += sum;
  return sum;
}

static int twice(int v) {
  int result = 1; result = add(v, v);
  result += squares[2];
  return result;
}

int main(void) {
  int n = twice(3);
  origin.first = n;
  n += add(n, 1);
  printf("%d %d\n", n, counter);
  return n == 0 ? other_total(n) : 0;
}
