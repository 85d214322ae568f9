// Assembly in Intel syntax: inline, naming a function, and of the module, which does not switch back.
//# flags: -masm=intel
//# linkers: mold
//# prints: inline 9
//# prints: called 7
//# prints: module 42
//# lazy: main inline_ calls
//# static: from_module
//# refuses: inline assembly
#include <stdio.h>

__attribute__((used)) static int helper(int x) { return x + 1; }
int inline_(int x) {
    int y;
    __asm__("mov eax, %1\n add eax, 5\n mov %0, eax" : "=r"(y) : "r"(x) : "eax");
    return y;
}
int calls(int x) {
    __asm__ volatile("mov rbx, rsp\n sub rsp, 256\n and rsp, -16\n call helper\n mov rsp, rbx\n mov edi, eax"
                     : "+D"(x)
                     :
                     : "rbx", "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory");
    return x;
}
__asm__(".intel_syntax noprefix\n.globl from_module\n.type from_module,@function\n"
        "from_module: lea eax, [rdi + 2]\n ret\n.size from_module, . - from_module\n");
int from_module(int);

int main(void) {
    printf("inline %d\n", inline_(4));
    printf("called %d\n", calls(6));
    printf("module %d\n", from_module(40));
    return 0;
}
