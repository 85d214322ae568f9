// First calls before the image's constructor, from .preinit_array and from an earlier constructor: they arrive in
// boot code with their arguments in all kinds of registers.
#include <stdio.h>

double mix(int, int, int, int, int, int, double, double, double, double, int);
void nothing(void);

// In static memory before main: where the results go until stdio works.
static double results[4];
static long double pi;
static unsigned mxcsr;

// Compiled with the processor's vector flag, without which clang passes these in memory.
#if FIRST == 256 && defined __AVX__
typedef double wide256 __attribute__((vector_size(32)));
double sum256(wide256, wide256);
#elif FIRST == 512 && defined __AVX512F__
typedef double wide512 __attribute__((vector_size(64)));
double sum512(wide512);
#endif

// Each function is one first call; only the first goes through boot code, so the tests choose it.
static void early(void) {
#if FIRST == 256 && defined __AVX__
  results[1] = sum256((wide256){1, 2, 3, 4}, (wide256){5, 6, 7, 8});
#elif FIRST == 512 && defined __AVX512F__
  results[2] = sum512((wide512){1, 2, 3, 4, 5, 6, 7, 8});
#elif FIRST == 87
  unsigned round_up = 0x5f80, usual = 0x1f80;
  __asm__ volatile("ldmxcsr %2; fldpi; subq $128, %%rsp; callq nothing@PLT; addq $128, %%rsp; fstpt %0; stmxcsr %1\n"
                   "ldmxcsr %3"
                   : "=m"(pi), "=m"(mxcsr)
                   : "m"(round_up), "m"(usual)
                   : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory");
#endif
  results[0] = mix(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
}

#ifdef PREINIT
__attribute__((section(".preinit_array"), used)) static void (*const start)(void) = early;
#else
__attribute__((section(".init_array.00000"), used)) static void (*const start)(void) = early;
#endif

int main(void) {
  printf("%g %g %g %.15Lf %x\n", results[0], results[1], results[2], pi, mxcsr);
  return 0;
}
