// The second unit of own_library_functions.c: no static function is one of the library.
int printf(const char *, ...);
typedef __SIZE_TYPE__ size_t;

static int calls;
static char kept[16];
__attribute__((noinline)) static size_t strlen(const char *s) {
    calls++;
    return s ? 42 : 0;
}
__attribute__((noinline)) static char *strdup(const char *s) {
    kept[0] = *s;
    return kept;
}
__attribute__((noinline)) static int strcmp(const char *a, const char *b) {
    calls++;
    return *a == *b ? 7 : 8;
}
__attribute__((noinline)) static double floor(double x) {
    calls++;
    return x + 1;
}

__attribute__((noinline)) static int writes(const char *text) {
    int before = calls;
    size_t length = strlen(text);
    return (calls - before) * 100 + length;
}
__attribute__((noinline)) static int unused(const char *text) {
    int before = calls;
    strlen(text);
    strcmp(text, text);
    floor(before);
    return calls - before;
}
__attribute__((noinline)) static void same_result(const char *text) {
    char *first = strdup(text), *second = strdup("b");
    first[1] = 'x';
    second[1] = 'y';
    printf("static same result %d\n", first[1]);
}
static volatile double half = 2.5;
__attribute__((noinline)) static int rounding(void) { return floor(half) * 10; }

void static_functions(const char *text) {
    printf("static writes %d\n", writes(text));
    printf("static unused %d\n", unused(text));
    same_result(text);
    printf("static rounding %d\n", rounding());
}
