.pushsection autojit_slots,"awR",@progbits
.popsection
.hidden __start_autojit_slots
.hidden __stop_autojit_slots
.pushsection autojit_modules,"aR",@progbits
.popsection
.hidden __start_autojit_modules
.hidden __stop_autojit_modules
.hidden __start_autojit_image
.pushsection .data.rel.autojit,"awG",@progbits,__autojit_entry,comdat
.weak __autojit_entry
.hidden __autojit_entry
.type __autojit_entry,@object
.p2align 3
__autojit_entry:
.quad __autojit_boot
.quad 0
.size __autojit_entry,.-__autojit_entry
.popsection
.pushsection autojit_image,"aG",@progbits,__autojit_image,comdat
.weak __autojit_image
.hidden __autojit_image
.type __autojit_image,@object
.p2align 3
__autojit_image:
.long 0x31494a41
.long 2
.long __start_autojit_slots-.
.long __stop_autojit_slots-.
.long __start_autojit_modules-.
.long __stop_autojit_modules-.
.long __autojit_entry-.
.long 0
.size __autojit_image,.-__autojit_image
.popsection
.pushsection .text.autojit.attach,"axG",@progbits,__autojit_attach,comdat
.weak __autojit_attach
.hidden __autojit_attach
.type __autojit_attach,@function
.p2align 4
__autojit_attach:
.cfi_startproc
.reloc .,R_X86_64_NONE,__start_autojit_image
endbr64
subq $8,%rsp
.cfi_def_cfa_offset 16
movq %fs:0,%rax
cmpq %rax,__autojit_entry+8(%rip)
je .Lautojit_alone_again
movq %rax,__autojit_entry+8(%rip)
xorl %edi,%edi
leaq .Lautojit_register(%rip),%rsi
callq *dlsym@GOTPCREL(%rip)
movq $0,__autojit_entry+8(%rip)
testq %rax,%rax
jz .Lautojit_alone
leaq __autojit_image(%rip),%rdi
callq *%rax
addq $8,%rsp
.cfi_def_cfa_offset 8
retq
.cfi_def_cfa_offset 16
.Lautojit_alone:
movq %fs:0,%rax
movq %rax,__autojit_entry+8(%rip)
xorl %edi,%edi
leaq .Lautojit_dlsym(%rip),%rsi
callq *dlsym@GOTPCREL(%rip)
testq %rax,%rax
jz .Lautojit_static
.Lautojit_alone_again:
movl $1,%eax
movl $2,%edi
leaq .Lautojit_no_runtime(%rip),%rsi
movl $161,%edx
syscall
movl $231,%eax
movl $127,%edi
syscall
ud2
.Lautojit_no_runtime:
.ascii "autojit: this program (or a library it uses) was compiled lazily and needs libautojit.so to run: use `autojit-run PROGRAM` or `LD_PRELOAD=libautojit.so PROGRAM`\n"
.Lautojit_static:
movl $1,%eax
movl $2,%edi
leaq .Lautojit_static_message(%rip),%rsi
movl $160,%edx
syscall
movl $231,%eax
movl $127,%edi
syscall
ud2
.Lautojit_static_message:
.ascii "autojit: this program was compiled lazily and linked statically, so that it cannot load libautojit.so: link it with -lautojit_static-x86_64, or without -static\n"
.Lautojit_register:
.asciz "__autojit_register"
.Lautojit_dlsym:
.asciz "dlsym"
.cfi_endproc
.size __autojit_attach,.-__autojit_attach
.popsection
.pushsection .text.autojit.boot,"axG",@progbits,__autojit_boot,comdat
.weak __autojit_boot
.hidden __autojit_boot
.type __autojit_boot,@function
.p2align 4
__autojit_boot:
.cfi_startproc
endbr64
pushq %rbp
.cfi_def_cfa_offset 16
.cfi_offset %rbp,-16
movq %rsp,%rbp
.cfi_def_cfa_register %rbp
pushq %rbx
pushq %rax
pushq %rcx
pushq %rdx
pushq %rsi
pushq %rdi
pushq %r8
pushq %r9
pushq %r10
pushq %r11
.cfi_offset %rbx,-24
cld
movl $1,%eax
xorl %ecx,%ecx
cpuid
testl $0x8000000,%ecx
jz .Lautojit_boot_fxsave
movl $13,%eax
xorl %ecx,%ecx
cpuid
subq %rbx,%rsp
andq $-64,%rsp
xorl %eax,%eax
movq %rax,512(%rsp)
movq %rax,520(%rsp)
movq %rax,528(%rsp)
movq %rax,536(%rsp)
movq %rax,544(%rsp)
movq %rax,552(%rsp)
movq %rax,560(%rsp)
movq %rax,568(%rsp)
movl $0x800e7,%eax
xorl %edx,%edx
xsave64 (%rsp)
fninit
ldmxcsr .Lautojit_boot_mxcsr(%rip)
callq __autojit_attach
movl $0x800e7,%eax
xorl %edx,%edx
xrstor64 (%rsp)
jmp .Lautojit_boot_restored
.Lautojit_boot_fxsave:
subq $512,%rsp
andq $-64,%rsp
fxsave64 (%rsp)
fninit
ldmxcsr .Lautojit_boot_mxcsr(%rip)
callq __autojit_attach
fxrstor64 (%rsp)
.Lautojit_boot_restored:
leaq __autojit_boot(%rip),%rax
cmpq %rax,__autojit_entry(%rip)
je .Lautojit_boot_refused
leaq -80(%rbp),%rsp
popq %r11
popq %r10
popq %r9
popq %r8
popq %rdi
popq %rsi
popq %rdx
popq %rcx
popq %rax
popq %rbx
.cfi_restore %rbx
popq %rbp
.cfi_def_cfa %rsp,8
.cfi_restore %rbp
jmpq *__autojit_entry(%rip)
.cfi_def_cfa %rbp,16
.cfi_offset %rbp,-16
.cfi_offset %rbx,-24
.Lautojit_boot_refused:
movl $1,%eax
movl $2,%edi
leaq .Lautojit_boot_message(%rip),%rsi
movl $108,%edx
syscall
movl $231,%eax
movl $127,%edi
syscall
ud2
.Lautojit_boot_message:
.ascii "autojit: libautojit.so does not run this program's functions: it was compiled by another version of autojit\n"
.p2align 2
.Lautojit_boot_mxcsr:
.long 0x1f80
.cfi_endproc
.size __autojit_boot,.-__autojit_boot
.popsection
.pushsection .init_array.00001,"awG",@init_array,__autojit_attach,comdat
.p2align 3
.quad __autojit_attach
.popsection
