// Names with the assembler's private prefix: of variables, static and not, of functions, and in data.
//# linkers: lld bfd
//# levels: standard o1
//# prints: variables 9 11
//# prints: functions 6 7
//# prints: data 1 1
//# prints: constant 1 private
//# lazy: get through_data
//# stats: compiled >= 3
#include <stdio.h>

int v __asm__(".Lv") = 4;
static int w __asm__(".Lw") = 5;
static const char text[] __asm__(".Ltext") = "private";
int *const pointers[] = {&v, &w};
__attribute__((noinline)) static int f(int x) __asm__(".Lf");
static int f(int x) { return x + 1; }
__attribute__((noinline)) int g(int x) __asm__(".Lg");
int g(int x) { return x + 2; }
static int (*const functions[])(int) = {f, g};

__attribute__((noinline)) int get(void) { return v++ + w++; }
__attribute__((noinline)) int through_data(int which) { return functions[which](5); }
__attribute__((noinline)) const char *constant(void) { return text; }

int main(void) {
    int first = get();
    printf("variables %d %d\n", first, get());
    printf("functions %d %d\n", through_data(0), g(5));
    printf("data %d %d\n", pointers[0] == &v && *pointers[0] == 6, functions[0] == f && functions[1] == g);
    printf("constant %d %s\n", constant() == text, constant());
    return 0;
}
