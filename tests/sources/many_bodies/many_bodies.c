// A module whose bitcode is packed in several groups of bodies: each function is found in its group, whatever the order of calls.
//# linkers: lld
//# prints: 600 functions: 239700

#include <stdio.h>

#define FUNCTION(number) \
    static int function_##number(int x) { \
        int parts[] = {number, x, number * x}; \
        int sum = 0; \
        for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) { \
            sum += parts[i] * (i == 0 ? 3 : 1); \
        } \
        return sum - x - number * (x + 2); \
    }
#define TEN(of, n) of(n##0) of(n##1) of(n##2) of(n##3) of(n##4) of(n##5) of(n##6) of(n##7) of(n##8) of(n##9)
#define HUNDRED(of, n) \
    TEN(of, n##0) TEN(of, n##1) TEN(of, n##2) TEN(of, n##3) TEN(of, n##4) \
    TEN(of, n##5) TEN(of, n##6) TEN(of, n##7) TEN(of, n##8) TEN(of, n##9)
#define ALL(of) HUNDRED(of, 1) HUNDRED(of, 2) HUNDRED(of, 3) HUNDRED(of, 4) HUNDRED(of, 5) HUNDRED(of, 6)
#define ADDRESS(number) function_##number,

ALL(FUNCTION)

static int (*const functions[])(int) = {ALL(ADDRESS)};

int main(void) {
    const int count = sizeof functions / sizeof *functions;
    int sum = 0;
    // A step that has no divisor in common with the count visits all, far apart.
    for (int i = 0; i < count; i++) {
        int number = i * 257 % count;
        int result = functions[number](number);
        if (result != number + 100) {
            printf("function %d: %d\n", number + 100, result);
        }
        sum += result;
    }
    printf("%d functions: %d\n", count, sum);
    return 0;
}
