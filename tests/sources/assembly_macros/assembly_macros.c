// Macros and names of assembly outside functions, used in the bodies of functions.
//# linkers: lld
//# prints: macro 42
//# prints: repeated 6
//# prints: constant 17
//# prints: equated 18
//# prints: own table 5
//# prints: overridden 9
//# lazy: without
//# static: macro repeated constant equated
#include <stdio.h>

__asm__(".macro put value, place\n movl $\\value, \\place\n .endm\n"
        ".macro twice instruction:vararg\n .rept 2\n \\instruction\n .endr\n .endm\n"
        // Named like an instruction.
        ".macro xaddps first, second\n addl $9, \\second\n .endm\n"
        ".set a_constant, 17\nanother = 18\n.equ a_third, 1\n");

__attribute__((noinline)) int macro(void) { int x; __asm__("put 42, %0" : "=r"(x)); return x; }
__attribute__((noinline)) int repeated(int x) { __asm__("twice addl $3, %0" : "+r"(x)); return x; }
__attribute__((noinline)) int constant(void) { int x; __asm__("movl $a_constant, %0" : "=r"(x)); return x; }
__attribute__((noinline)) int equated(void) { int x; __asm__("movl $another*a_third, %0" : "=r"(x)); return x; }
__attribute__((noinline)) int own_table(void) {
    int x;
    __asm__(".irp n, 1, 2\n.ifc \\n, 1\nmovl $4, %0\n.else\nincl %0\n.endif\n.endr" : "=r"(x));
    return x;
}
__attribute__((noinline)) int overridden(int x) { __asm__("xaddps %%rax, %0" : "+r"(x)); return x; }
__attribute__((noinline)) int without(int x) { __asm__("" : "+r"(x)); return x; }

int main(void) {
    printf("macro %d\n", macro());
    printf("repeated %d\n", repeated(0));
    printf("constant %d\n", constant());
    printf("equated %d\n", equated());
    printf("own table %d\n", own_table());
    printf("overridden %d\n", overridden(0));
    return without(0);
}
