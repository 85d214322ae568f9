# What the linker keeps of an object: a function in each of two sections, a call between them, one outside, an address from
# the global offset table, constants, data with an address in it, unwind tables and lines.
        .file   1 "pack.c"
        .section .text.outer,"ax",@progbits
        .globl  outer
        .type   outer,@function
outer:
        .cfi_startproc
        .loc    1 1 0
        pushq   %rbx
        .cfi_def_cfa_offset 16
        .cfi_offset %rbx, -16
        .loc    1 2 0
        callq   middle@PLT
        callq   elsewhere@PLT
        movq    number@GOTPCREL(%rip), %rbx
        addl    (%rbx), %eax
        addl    constant(%rip), %eax
        .loc    1 3 0
        popq    %rbx
        .cfi_def_cfa_offset 8
        retq
        .cfi_endproc
        .size   outer, . - outer

        .section .text.middle,"ax",@progbits
        .globl  middle
        .type   middle,@function
middle:
        .cfi_startproc
        .loc    1 5 0
        movq    table(%rip), %rax
        movl    (%rax), %eax
        retq
        .cfi_endproc
        .size   middle, . - middle

        .section .rodata.cst4,"aM",@progbits,4
        .p2align 2
constant:
        .long   7

        .data
        .p2align 3
table:
        .quad   number

        .section .debug_line,"",@progbits
        .section ".note.GNU-stack","",@progbits
