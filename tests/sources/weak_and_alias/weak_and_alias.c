// Weak functions with and without a strong one, weak undefined ones, aliases and indirect functions.
//# sources: strong.c
//# prints: overridden: strong
//# prints: not overridden: weak
//# prints: undefined: 0
//# prints: alias 5 same 1
//# prints: weak alias: strong alias
//# prints: indirect 8
//# static: chosen
//# refuses: clang 16: comparisons that are constants there
#include <stdio.h>

__attribute__((weak)) const char *overridden(void) { return "weak"; }
__attribute__((weak)) const char *not_overridden(void) { return "weak"; }
__attribute__((weak)) int undefined(int);

int original(int x) { return x + 1; }
int renamed(int x) __attribute__((alias("original")));

static const char *fallback(void) { return "fallback"; }
__attribute__((weak, alias("fallback"))) const char *weak_alias(void);

static int implementation(int x) { return x * 2; }
int chosen(int);
static int (*choose(void))(int) { return implementation; }
__attribute__((ifunc("choose"))) int chosen(int);

int main(void) {
    printf("overridden: %s\n", overridden());
    printf("not overridden: %s\n", not_overridden());
    printf("undefined: %d\n", undefined ? undefined(1) : 0);
    printf("alias %d same %d\n", renamed(4), renamed == original);
    printf("weak alias: %s\n", weak_alias());
    printf("indirect %d\n", chosen(4));
    return 0;
}
