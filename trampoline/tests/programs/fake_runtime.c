// Stands in for the runtime in tests/boot.rs: reports each image that registers, and answers first calls with the
// functions below. Destroys every register that a function may, as the real one might.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct record { uint32_t magic, version; int32_t slots[2], modules[2], entry; uint32_t reserved; };
struct module { uint32_t magic; uint8_t fill[4], key[32], rest[24]; int64_t container; };
_Static_assert(sizeof(struct module) == MODULE_SIZE, "as in contract.rs");
struct slot { void *target; int32_t module; uint32_t index; };

static int first(int a, int b) { return a * 10 + b; }
static int second(int a) { return a + 1000; }
static int shared_of_1(void) { return 1; }
static int shared_of_2(void) { return 2; }
static int dead(void) { abort(); }
static double mix(int a, int b, int c, int d, int e, int f, double g, double h, double i, double j, int k) {
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k;
}
double sum256(void), sum512(void); // fake_wide.c
static void nothing(void) {}

// By the module's key (its first byte) and the function's index.
static void *const bodies[4][5] = {
    [1] = {first, shared_of_1, dead},
    [2] = {second, shared_of_2},
    [3] = {mix, sum256, sum512, nothing},
};

// For fake_entry, which knows a stub by its slot: finds the body.
__attribute__((visibility("hidden"))) void *fake_body(const struct slot *slot) {
  const int32_t *field = &slot->module;
  if (*field & 1) field = (const void *)((const char *)field + (*field & ~1)); // as another slot
  const struct module *module = (const void *)((const char *)field + *field);
  if (memcmp(&module->magic, "AJM1", 4) != 0) abort();
  return bodies[module->key[0]][slot->index];
}

// A trampoline for callees that the test chose: their arguments are all in registers that are saved here, or in
// vector registers, which fake_body does not touch.
__attribute__((naked, visibility("hidden"))) void fake_entry(void) {
  __asm__("pushq %rax; pushq %rcx; pushq %rdx; pushq %rsi; pushq %rdi; pushq %r8; pushq %r9; pushq %r10; pushq %r11\n"
          "pushq %rbp; movq %rsp, %rbp; andq $-64, %rsp; subq $512, %rsp; fxsave64 (%rsp)\n"
          "movq 80(%rbp), %rax; movsbq 1(%rax), %rdi; leaq 2(%rax, %rdi), %rax\n" // jmp rel8, to the stub
          "movslq 2(%rax), %rdi; leaq 6(%rax, %rdi), %rdi\n"                       // jmp *slot(%rip)
          "pushq %rdi; pushq %rdi; callq fake_body; popq %rdi; popq %rdi; movq %rax, (%rdi)\n"
          "fxrstor64 (%rsp); movq %rbp, %rsp; popq %rbp\n"
          "popq %r11; popq %r10; popq %r9; popq %r8; popq %rdi; popq %rsi; popq %rdx; popq %rcx; popq %rax\n"
          "retq");
}

__attribute__((unused)) static void fill_x87(void) { __asm__ volatile("fninit; fldz; fldz; fldz; fldz; fldz; fldz; fldz; fldz"); }

static void clobber(void) {
  __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm1; movdqa %%xmm0, %%xmm2; movdqa %%xmm0, %%xmm3\n"
                   "movdqa %%xmm0, %%xmm4; movdqa %%xmm0, %%xmm5; movdqa %%xmm0, %%xmm6; movdqa %%xmm0, %%xmm7\n"
                   "movl $-1, %%eax; movl %%eax, %%ecx; movl %%eax, %%edx; movl %%eax, %%esi; movl %%eax, %%edi\n"
                   "movl %%eax, %%r8d; movl %%eax, %%r9d; movl %%eax, %%r10d; movl %%eax, %%r11d" ::
                       : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3",
                         "xmm4", "xmm5", "xmm6", "xmm7", "memory");
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx")) __asm__ volatile("vzeroall" ::: "memory");
}

#define AT(field) ((const char *)&(field) + (field))

// Whether x87 and MXCSR are as a C function may expect them: default modes, an empty stack.
static int clean(void) {
  unsigned mxcsr;
  struct { uint32_t control, status, tag, pointers[4]; } x87;
  __asm__ volatile("stmxcsr %0; fnstenv %1; fldenv %1" : "=m"(mxcsr), "=m"(x87));
  return (mxcsr & ~0x3f) == 0x1f80 && (uint16_t)x87.control == 0x37f && (uint16_t)x87.tag == 0xffff;
}

void __autojit_register(const struct record *record) {
  if (!clean()) abort();
  static const struct record *known[16];
  static int count;
  if (memcmp(&record->magic, "AJI1", 4) != 0 || record->version != 2) abort();
  for (int i = 0; i < count; i++)
    if (known[i] == record) return clobber();
  known[count++] = record;
  // stdio may not work yet: the call may come from .preinit_array.
  char line[100];
  long slots = (AT(record->slots[1]) - AT(record->slots[0])) / 16;
  long modules = (AT(record->modules[1]) - AT(record->modules[0])) / MODULE_SIZE;
  const struct slot *slot = (const void *)AT(record->slots[0]);
  const struct module *module = (const void *)AT(record->modules[0]);
  for (long i = 0; i < modules; i++)
    if (memcmp(&module[i].magic, "AJM1", 4) != 0 || *AT(module[i].container) != module[i].key[0]) abort();
  for (long i = 0; i < slots; i++)
    if (((uint8_t *)slot[i].target)[0] != 0xff && ((uint8_t *)slot[i].target)[0] != 0x90) abort(); // call *entry(%rip), or nop; call enter
  snprintf(line, sizeof line, "image: %ld slots, %ld modules\n", slots, modules);
  extern long write(int, const void *, unsigned long);
  write(1, line, strlen(line));
  if (!getenv("FAKE_REFUSE")) *(void **)AT(record->entry) = fake_entry;
#ifdef FILL_X87
  // More than a function may do to its caller, but boot code is to bear it, and this is for tests where it calls.
  fill_x87();
#endif
  clobber();
}
