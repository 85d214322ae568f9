// A thousand functions of one unit, called in an order that is not theirs; half of them never.
//# prints: sum 249500
//# stats: functions >= 1000
//# stats: code_bytes <= 1000000
#include <stdio.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define HUNDRED(n) TEN(n##0) TEN(n##1) TEN(n##2) TEN(n##3) TEN(n##4) TEN(n##5) TEN(n##6) TEN(n##7) TEN(n##8) TEN(n##9)
HUNDRED(1) HUNDRED(2) HUNDRED(3) HUNDRED(4) HUNDRED(5) HUNDRED(6) HUNDRED(7) HUNDRED(8) HUNDRED(9) HUNDRED(10)

#define P(n) f##n,
#define TENP(n) P(n##0) P(n##1) P(n##2) P(n##3) P(n##4) P(n##5) P(n##6) P(n##7) P(n##8) P(n##9)
#define HUNDREDP(n) \
    TENP(n##0) TENP(n##1) TENP(n##2) TENP(n##3) TENP(n##4) TENP(n##5) TENP(n##6) TENP(n##7) TENP(n##8) TENP(n##9)
static int (*const all[])(int) = {HUNDREDP(1) HUNDREDP(2) HUNDREDP(3) HUNDREDP(4) HUNDREDP(5) HUNDREDP(6) HUNDREDP(7)
                                      HUNDREDP(8) HUNDREDP(9) HUNDREDP(10)};

int main(void) {
    long sum = 0;
    // 7 and 1000 have no common divisor: a walk over all of them, of which every second is called.
    for (int i = 0, at = 0; i < 1000; i++, at = (at + 7) % 1000)
        if (at % 2 == 0) sum += all[at](0) - 100;
    printf("sum %ld\n", sum);
    return 0;
}
