// Inline and module-level assembly that names functions and variables: static ones, of the other file, of a library,
// through operands and in its text; local labels, jumps with outputs, other sections.
//# sources: assembly_data.c
//# mix
//# linkers: lld
//# prints: operand 5 text 6
//# prints: variable 7 other file 8
//# prints: static from module assembly 9 10
//# prints: local labels 3 4
//# prints: goto with output 12 no
//# prints: loop 55
//# prints: address 1
//# prints: section 13
//# prints: undeclared 14
//# prints: library 5
//# prints: defined in a body 15
//# lazy: in_text variables loop
//# static: operand only_in_text library_text defines
//# refuses: inline assembly
#include <stdio.h>
#include <string.h>

__attribute__((used)) static int one_more(int x) { return x + 1; }
__attribute__((used)) static int counter = 6;
extern int in_other_file;

#define CLOBBERS "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc"
#define CALL(target, x) \
    ({ int result_ = (x); \
       __asm__ volatile("mov %%rsp, %%rbx; sub $256, %%rsp; and $-16, %%rsp; call " target "; mov %%rbx, %%rsp; mov %%eax, %%edi" \
                        : "+D"(result_) : : "rbx", CLOBBERS); result_; })

int operand(int x) {
    __asm__ volatile("mov %%rsp, %%rbx; sub $256, %%rsp; and $-16, %%rsp; call %P1; mov %%rbx, %%rsp; mov %%eax, %%edi"
                     : "+D"(x) : "i"(one_more) : "rbx", CLOBBERS);
    return x;
}
int in_text(int x) { return CALL("one_more", x); }
int variables(int *other) {
    int value;
    __asm__ volatile("incl counter(%%rip); movl counter(%%rip), %0" : "=r"(value) : : "memory");
    __asm__ volatile("incl in_other_file(%%rip); movl in_other_file(%%rip), %0" : "=r"(*other) : : "memory");
    return value;
}

// Only the assembler knows the caller.
static __attribute__((used)) int only_for_assembly(int x) { return x + 9; }
__attribute__((noinline)) static int also_called(int x) { return x + 10; }
__asm__(".text\n.type from_module,@function\nfrom_module: sub $8, %rsp\n call only_for_assembly\n add $8, %rsp\n ret\n"
        ".globl from_module\n.type jumps,@function\n.globl jumps\njumps: jmp also_called\n");
int from_module(int), jumps(int);

static int labels(int x) {
    int result;
    __asm__ volatile("mov $3, %0\n test %1, %1\n jz .Lend%=\n inc %0\n.Lend%=:" : "=&r"(result) : "r"(x) : "cc");
    return result;
}
static int goto_output(int x) {
    int result;
    __asm__ goto("lea 2(%1), %0\n cmp $10, %1\n jne %l2" : "=&r"(result) : "r"(x) : "cc" : no);
    return result;
no:
    return -1;
}
int loop(int n) {
    int sum = 0;
    __asm__ volatile("1: add %1, %0\n dec %1\n jnz 1b" : "+r"(sum), "+r"(n) : : "cc");
    return sum;
}
static int address(void) {
    void *found;
    __asm__("lea one_more(%%rip), %0" : "=r"(found));
    return found == (void *)one_more;
}
static int section(void) {
    const int *found;
    __asm__(".pushsection .rodata.ours,\"a\"\n9: .long 13\n.popsection\nlea 9b(%%rip), %0" : "=r"(found));
    return *found;
}
// Nothing in this file declares the function.
int only_in_text(int x) { return CALL("undeclared", x); }
size_t library_text(const char *text) {
    size_t length;
    __asm__ volatile("mov %%rsp, %%rbx; sub $256, %%rsp; and $-16, %%rsp; call strlen@PLT; mov %%rbx, %%rsp"
                     : "=a"(length), "+D"(text) : : "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
    return length;
}
__attribute__((noinline)) int defines(void) {
    int value;
    __asm__("jmp 2f\nplain_label: .long 15\n2: movl plain_label(%%rip), %0" : "=r"(value));
    return value;
}

int main(int argc, char **argv) {
    (void)argv;
    printf("operand %d text %d\n", operand(4), in_text(5));
    int other, own = variables(&other);
    printf("variable %d other file %d\n", own, other == in_other_file ? other : 0);
    printf("static from module assembly %d %d\n", from_module(0), jumps(0) + also_called(argc) - 11);
    printf("local labels %d %d\n", labels(0), labels(1));
    printf("goto with output %d %s\n", goto_output(10), goto_output(1) < 0 ? "no" : "yes");
    printf("loop %d\n", loop(10));
    printf("address %d\n", address());
    printf("section %d\n", section());
    printf("undeclared %d\n", only_in_text(0));
    printf("library %zu\n", library_text("hello"));
    printf("defined in a body %d\n", defines());
    return 0;
}
