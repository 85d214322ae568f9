// Unit tests replace a function by writing a jump over its first bytes, and take it back: whether it was called before
// or not, is static, or is another file's. Compiled code must not call past that.
//# sources: replaced_elsewhere.c
//# env: AUTOJIT_CALLS=stubs
//# levels: standard nopie
//# prints: called before: 30 replaced 7 again 30
//# prints: never called: replaced 7 again 50
//# prints: static: 60 replaced 7 again 60
//# prints: another file's: 80 replaced 7 again 80
//# prints: by its address: 30 replaced 7 again 30
//# prints: in a loop: 300 70 300
//# lazy: first second elsewhere
//# stats: callsites_rewritten == 0
//# refuses: clang 16: o2: a binary operation of constants, which its optimiser makes
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int elsewhere(int n);
int calls_elsewhere(int n);

// Or the optimiser calls once what would return the same twice.
static volatile int calls;
__attribute__((noinline)) int first(int n) { return calls++, n * 3; }
__attribute__((noinline)) int second(int n) { return calls++, n * 5; }
__attribute__((noinline)) static int third(int n) { return calls++, n * 6; }
__attribute__((noinline)) int in_their_place(int n) { return n - 3; }

typedef int function(int);
static unsigned char saved[14];

// mov $by, %rax; jmp *%rax: 12 bytes.
static void replace(function *what, function *by) {
    uintptr_t page = (uintptr_t)what & -4096ul;
    unsigned char jump[12] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0};
    memcpy(jump + 2, &by, 8);
    if (mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) perror("mprotect");
    memcpy(saved, (void *)what, sizeof saved);
    memcpy((void *)what, jump, sizeof jump);
    mprotect((void *)page, 8192, PROT_READ | PROT_EXEC);
}

static void restore(function *what) {
    uintptr_t page = (uintptr_t)what & -4096ul;
    mprotect((void *)page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC);
    memcpy((void *)what, saved, sizeof saved);
    mprotect((void *)page, 8192, PROT_READ | PROT_EXEC);
}

__attribute__((noinline)) static int ten_times(int n) {
    int sum = 0;
    for (int i = 0; i < 10; i++) sum += first(n);
    return sum;
}

int main(void) {
    printf("called before: %d", first(10));
    replace(first, in_their_place);
    printf(" replaced %d", first(10));
    restore(first);
    printf(" again %d\n", first(10));

    replace(second, in_their_place);
    printf("never called: replaced %d", second(10));
    restore(second);
    printf(" again %d\n", second(10));

    printf("static: %d", third(10));
    replace(third, in_their_place);
    printf(" replaced %d", third(10));
    restore(third);
    printf(" again %d\n", third(10));

    printf("another file's: %d", calls_elsewhere(10));
    replace(elsewhere, in_their_place);
    printf(" replaced %d", calls_elsewhere(10));
    restore(elsewhere);
    printf(" again %d\n", calls_elsewhere(10));

    function *volatile pointer = first;
    printf("by its address: %d", pointer(10));
    replace(pointer, in_their_place);
    printf(" replaced %d", pointer(10));
    restore(pointer);
    printf(" again %d\n", pointer(10));

    int before = ten_times(10);
    replace(first, in_their_place);
    int meanwhile = ten_times(10);
    restore(first);
    printf("in a loop: %d %d %d\n", before, meanwhile, ten_times(10));
    return 0;
}
