#include <stdio.h>
#include <string.h>
#include <unistd.h>
#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n - 1000; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
HUNDRED(10) HUNDRED(11) HUNDRED(12) HUNDRED(13) HUNDRED(14)
#undef F
#define F(n) f##n,
static int (*const all[])(int) = {HUNDRED(10) HUNDRED(11) HUNDRED(12) HUNDRED(13) HUNDRED(14)};
int main(void) {
    int right = 0;
    for (int i = 0; i < 500; i++) right += all[i](0) == i, usleep(5000);
    printf("right %d\n", right);
    return 0;
}
