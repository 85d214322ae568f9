// A build whose stacks are aligned to 64 bytes, as codecs have them for their assembly: where that is called from plain calls,
// through pointers, beside variable arguments, arrays of variable length and arguments on the stack.
//# plain: main.c
//# flags: -mstack-alignment=64
//# refuses: its module
//# prints: plain 0
//# prints: pointer 0
//# prints: variable 0 0 0
//# prints: frames 0 0
//# prints: array 0 0 0
//# prints: stack 0 36
#include <stdarg.h>
#include <stdio.h>

unsigned long stack_pointer(void);

__attribute__((noinline)) static unsigned long misaligned(void) { return stack_pointer() % 64; }

unsigned long through_pointer(unsigned long (*function)(void)) { return function(); }

__attribute__((noinline)) static unsigned long variable(int count, ...) {
    va_list list;
    va_start(list, count);
    unsigned long sum = 0;
    for (int i = 0; i < count; i++) sum += va_arg(list, unsigned long (*)(void))();
    va_end(list);
    return sum;
}

__attribute__((noinline)) static unsigned long with_array(int length) {
    char array[length];
    array[0] = 0;
    unsigned long found = misaligned();
    return found + array[0] + stack_pointer() % 64;
}

__attribute__((noinline)) static int on_stack(int a, int b, int c, int d, int e, int f, int g, int h) {
    printf("stack %lu", stack_pointer() % 64);
    return a + b + c + d + e + f + g + h;
}

__attribute__((noinline)) static unsigned long small(volatile char *into) {
    volatile char local[17] = {0};
    return *into + local[16] + misaligned();
}

__attribute__((noinline)) static unsigned long large(void) {
    volatile char local[81] = {0};
    return small(local) + stack_pointer() % 64;
}

void run(int argc) {
    printf("plain %lu\n", misaligned());
    printf("pointer %lu\n", through_pointer(misaligned));
    printf("variable %lu %lu %lu\n", variable(0), variable(1, misaligned), variable(3, misaligned, misaligned, misaligned));
    printf("frames %lu %lu\n", small((char[]){0}), large());
    printf("array %lu %lu %lu\n", with_array(argc), with_array(argc + 30), with_array(argc + 70));
    printf(" %d\n", on_stack(argc, 2, 3, 4, 5, 6, 7, 8));
}
