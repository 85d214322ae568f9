// Attributes of functions that change how they are compiled, placed, called or seen.
//# sources: attributed.c
//# mix
//# linkers: bfd
//# prints: cold 1 hot 2
//# prints: sections 3 4 in order 1
//# prints: hidden 5 protected 6 internal 7
//# prints: noinline 8 always 9 flatten 30
//# prints: preserve_none 55
//# prints: preserve_most 21 kept 15
//# prints: musttail 500000500000
//# prints: const 12 pure 13 malloc 14
//# prints: no return 15
//# prints: optnone 16 minsize 17
//# prints: weak section 18
//# prints: target clones 19
//# prints: aligned 1 20
//# lazy: main is_cold is_hot noinline_ flatten_ preserve_none_ preserve_most_ optnone_ minsize_ aligned_
//# static: in_section in_other_section weak_in_section
//# refuses: conventions that are not C's
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "attributed.h"

__attribute__((cold)) int is_cold(int x) { return x + 1; }
__attribute__((hot)) int is_hot(int x) { return x + 2; }
__attribute__((section("special_text"))) int in_section(int x) { return x + 3; }
__attribute__((section("special_text"))) int in_other_section(int x) { return x + 4; }
__attribute__((weak, section("special_text"))) int weak_in_section(int x) { return x + 18; }
extern const char __start_special_text[], __stop_special_text[];

__attribute__((noinline)) int noinline_(int x) { return x + 8; }
__attribute__((always_inline)) static inline int always(int x) { return noinline_(x) + 1; }
static int ten(int x) { return x + 10; }
__attribute__((flatten)) int flatten_(int x) { return ten(ten(ten(x))); }

__attribute__((preserve_none)) long preserve_none_(long a, long b, long c, long d, long e, long f, long g, long h,
                                                   long i, long j) {
    return a + b + c + d + e + f + g + h + i + j;
}
__attribute__((preserve_most)) long preserve_most_(long a, long b, long c) { return noinline_((int)(a + b + c)) + 7; }

__attribute__((noinline)) long down(long n, long sum);
__attribute__((noinline)) long up(long n, long sum) {
    if (!n) return sum;
    __attribute__((musttail)) return down(n - 1, sum + n);
}
long down(long n, long sum) {
    if (!n) return sum;
    __attribute__((musttail)) return up(n - 1, sum + n);
}

__attribute__((const, noinline)) int const_(int x) { return x + 12; }
__attribute__((pure, noinline)) int pure_(const int *x) { return *x + 13; }
__attribute__((malloc, returns_nonnull, noinline)) int *malloc_(int x) {
    int *made = malloc(sizeof *made);
    return *made = x + 14, made;
}
static jmp_buf back;
__attribute__((noreturn, noinline)) static void leave(int x) { longjmp(back, x); }
__attribute__((optnone, noinline)) int optnone_(int x) { return x + 16; }
__attribute__((minsize)) int minsize_(int x) { return x + 17; }
__attribute__((target_clones("default", "avx2"))) int clones(int x) { return x + 19; }
__attribute__((aligned(64))) int aligned_(int x) { return x + 20; }

int main(void) {
    printf("cold %d hot %d\n", is_cold(0), is_hot(0));
    const char *at = (const char *)(uintptr_t)in_section, *other = (const char *)(uintptr_t)in_other_section;
    int ordered = at >= __start_special_text && other > at && other < __stop_special_text;
    printf("sections %d %d in order %d\n", in_section(0), in_other_section(0), ordered);
    printf("hidden %d protected %d internal %d\n", hidden(0), protected(0), internal(0));
    printf("noinline %d always %d flatten %d\n", noinline_(0), always(0), flatten_(0));
    printf("preserve_none %ld\n", preserve_none_(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    volatile long one = 1;
    long a = one, b = 2 * a, c = 3 * a, d = 4 * a, e = 5 * a;
    long most = preserve_most_(1, 2, 3);
    printf("preserve_most %ld kept %ld\n", most, a + b + c + d + e);
    printf("musttail %ld\n", up(1000000, 0));
    int *made = malloc_(0), zero = 0;
    printf("const %d pure %d malloc %d\n", const_(0), pure_(&zero), *made);
    int value = setjmp(back);
    if (!value) leave(15);
    printf("no return %d\n", value);
    printf("optnone %d minsize %d\n", optnone_(0), minsize_(0));
    printf("weak section %d\n", weak_in_section(0));
    printf("target clones %d\n", clones(0));
    printf("aligned %d %d\n", (uintptr_t)aligned_ % 64 == 0, aligned_(0));
    return 0;
}
