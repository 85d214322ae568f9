// 1,250 functions f(x) = x + their number, named after PART_NAME, and a table of them.
#define JOIN_(a, b, c) a##_##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define NAME(n) JOIN(PART_NAME, f, n)
#define TIMES5(m, n) m(n##0) m(n##1) m(n##2) m(n##3) m(n##4)
#define TIMES10(m, n) TIMES5(m, n) m(n##5) m(n##6) m(n##7) m(n##8) m(n##9)
#define HUNDRED(m, n) TIMES10_OF_TEN(m, n)
#define TEN_OF(m, n) TIMES10(m, n)
#define TIMES10_OF_TEN(m, n) \
    TEN_OF(m, n##0) TEN_OF(m, n##1) TEN_OF(m, n##2) TEN_OF(m, n##3) TEN_OF(m, n##4) \
    TEN_OF(m, n##5) TEN_OF(m, n##6) TEN_OF(m, n##7) TEN_OF(m, n##8) TEN_OF(m, n##9)
// Numbers are written with a 1 in front, so that none is octal: 1000 to 2249.
#define ALL(m) \
    HUNDRED(m, 10) HUNDRED(m, 11) HUNDRED(m, 12) HUNDRED(m, 13) HUNDRED(m, 14) HUNDRED(m, 15) \
    HUNDRED(m, 16) HUNDRED(m, 17) HUNDRED(m, 18) HUNDRED(m, 19) HUNDRED(m, 20) HUNDRED(m, 21) \
    TEN_OF(m, 220) TEN_OF(m, 221) TEN_OF(m, 222) TEN_OF(m, 223) TEN_OF(m, 224)
#define DEFINE(n) __attribute__((noinline)) int NAME(n)(int x) { return x + n - 1000; }
#define POINTER(n) NAME(n),
ALL(DEFINE)
int (*const *JOIN(part, PART_NAME, )(void))(int) {
    static int (*const table[])(int) = {ALL(POINTER)};
    return table;
}
