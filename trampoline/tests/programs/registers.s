# Loads every register from `in`, calls the lazy function `lazy_dump`, whose body stores every register to `out`.
# Layout of both (tests/registers.rs has it too): 15 general registers, 8 bytes each; 32 vector registers, 64 bytes
# each; 8 mask registers, 8 bytes each; MXCSR, 4 bytes; 4 bytes of nothing; the 108 bytes of fnsave.
# `level`: 0 SSE, 1 AVX, 2 AVX-512 with byte and word instructions.

        .set    VECTORS, 120
        .set    MASKS, VECTORS + 32 * 64
        .set    MXCSR, MASKS + 64
        .set    X87, MXCSR + 8


        .text
        .globl  call_with_registers
        .type   call_with_registers,@function
call_with_registers:
        .cfi_startproc
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp,-16
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        .cfi_adjust_cfa_offset 40
        subq    $8,%rsp
        .cfi_adjust_cfa_offset 8
        frstor  in+X87(%rip)
        cmpl    $1,level(%rip)
        je      1f
        ja      2f
        .irp    i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        movups  in+VECTORS+64*\i(%rip),%xmm\i
        .endr
        jmp     3f
1:
        .irp    i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        vmovups in+VECTORS+64*\i(%rip),%ymm\i
        .endr
        jmp     3f
2:
        .irp    i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        vmovups in+VECTORS+64*\i(%rip),%zmm\i
        .endr
        .irp    i,0,1,2,3,4,5,6,7
        kmovq   in+MASKS+8*\i(%rip),%k\i
        .endr
3:
        ldmxcsr in+MXCSR(%rip)
        movq    in+0(%rip),%rax
        movq    in+8(%rip),%rbx
        movq    in+16(%rip),%rcx
        movq    in+24(%rip),%rdx
        movq    in+32(%rip),%rsi
        movq    in+40(%rip),%rdi
        movq    in+48(%rip),%rbp
        movq    in+56(%rip),%r8
        movq    in+64(%rip),%r9
        movq    in+72(%rip),%r10
        movq    in+80(%rip),%r11
        movq    in+88(%rip),%r12
        movq    in+96(%rip),%r13
        movq    in+104(%rip),%r14
        movq    in+112(%rip),%r15
        movq    %rsp,sp_before(%rip)
        callq   lazy_dump@PLT
        movq    %rsp,sp_after(%rip)
        cld
        fninit
        ldmxcsr default_mxcsr(%rip)
        cmpl    $0,level(%rip)
        je      4f
        vzeroupper
4:
        addq    $8,%rsp
        .cfi_adjust_cfa_offset -8
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbx
        .cfi_adjust_cfa_offset -40
        popq    %rbp
        .cfi_def_cfa_offset 8
        xorl    %eax,%eax
        retq
        .cfi_endproc
        .size   call_with_registers,.-call_with_registers
        .globl  end_of_call
end_of_call:

        .type   body_dump,@function
body_dump:
        .cfi_startproc
        movq    %rax,out+0(%rip)
        movq    %rbx,out+8(%rip)
        movq    %rcx,out+16(%rip)
        movq    %rdx,out+24(%rip)
        movq    %rsi,out+32(%rip)
        movq    %rdi,out+40(%rip)
        movq    %rbp,out+48(%rip)
        movq    %r8,out+56(%rip)
        movq    %r9,out+64(%rip)
        movq    %r10,out+72(%rip)
        movq    %r11,out+80(%rip)
        movq    %r12,out+88(%rip)
        movq    %r13,out+96(%rip)
        movq    %r14,out+104(%rip)
        movq    %r15,out+112(%rip)
        leaq    8(%rsp),%rax
        movq    %rax,sp_inside(%rip)
        stmxcsr out+MXCSR(%rip)
        fnsave  out+X87(%rip)
        cmpl    $1,level(%rip)
        je      1f
        ja      2f
        .irp    i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        movups  %xmm\i,out+VECTORS+64*\i(%rip)
        .endr
        retq
1:
        .irp    i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
        vmovups %ymm\i,out+VECTORS+64*\i(%rip)
        .endr
        retq
2:
        .irp    i,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
        vmovups %zmm\i,out+VECTORS+64*\i(%rip)
        .endr
        .irp    i,0,1,2,3,4,5,6,7
        kmovq   %k\i,out+MASKS+8*\i(%rip)
        .endr
        retq
        .cfi_endproc
        .size   body_dump,.-body_dump

# Counts in `counter`, notes what the call leaves in r11, the one register that it changes, then does the same.
        .globl  body_counted
        .type   body_counted,@function
body_counted:
        .cfi_startproc
        movq    counter(%rip),%r11
        subl    $1,(%r11)
        jns     1f
        callq   *called(%rip)
        movq    %r11,left_in_r11(%rip)
1:
        movq    in+80(%rip),%r11
        jmp     body_dump
        .cfi_endproc
        .size   body_counted,.-body_counted

        .type   __autojit_register,@function
        .globl  __autojit_register
__autojit_register:
        movq    %rdi,registered(%rip)
        retq

        .section .rodata
        .p2align 2
default_mxcsr:
        .long   0x1f80

        .section .data.rel.ro,"aw"
        .globl  bodies
        .p2align 3
bodies:
        .quad   body_dump

        .bss
        .p2align 6
        .globl  registered,in,out,level,sp_before,sp_inside,sp_after,counter,called,left_in_r11
in:     .zero   2560
out:    .zero   2560
sp_before: .zero 8
sp_inside: .zero 8
sp_after: .zero 8
registered: .zero 8
counter: .zero 8
called: .zero 8
left_in_r11: .zero 8
level:  .zero   4
        .section .note.GNU-stack,"",@progbits
