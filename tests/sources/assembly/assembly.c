// Assembly of all sorts: module level, naked functions, inline with operands and jumps, renamed and register symbols.
//# prints: module 42
//# prints: naked 10
//# prints: operands 12 carry 1
//# prints: goto zero other
//# prints: renamed 9
//# prints: called from assembly 15
//# static: from_module naked
//# refuses: inline assembly
#include <stdio.h>

__asm__(".text\n.globl from_module\n.type from_module,@function\n"
        "from_module:\n  lea 2(%rdi), %eax\n  ret\n.size from_module, . - from_module\n");
int from_module(int);

__attribute__((naked)) int naked(int x) { __asm__("lea (%rdi,%rdi), %eax\n  ret"); }

static int operands(int a, int b, int *carry) {
    unsigned char flag;
    __asm__("addl %2, %0\n  setc %1" : "+r"(a), "=q"(flag) : "r"(b) : "cc");
    *carry = flag + 1;
    return a;
}

static const char *jumps(int x) {
    __asm__ goto("test %0, %0\n  jz %l[zero]" : : "r"(x) : "cc" : zero);
    return "other";
zero:
    return "zero";
}

int renamed(int x) __asm__("another_name");
int renamed(int x) { return x * 3; }

int called_from_assembly(int x) { return x + 5; }
__asm__(".text\n.globl calls_back\n.type calls_back,@function\n"
        "calls_back:\n  sub $8, %rsp\n  call called_from_assembly@PLT\n  add $8, %rsp\n  ret\n");
int calls_back(int);

int main(void) {
    int carry;
    printf("module %d\n", from_module(40));
    printf("naked %d\n", naked(5));
    int sum = operands(-4, 16, &carry);
    printf("operands %d carry %d\n", sum, carry - 1);
    printf("goto %s %s\n", jumps(0), jumps(1));
    printf("renamed %d\n", renamed(3));
    printf("called from assembly %d\n", calls_back(10));
    return 0;
}
