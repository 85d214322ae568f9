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
.weak __autojit_register
.weak _DYNAMIC
.hidden _DYNAMIC
.pushsection .text.autojit.attach,"axG",@progbits,__autojit_attach,comdat
.weak __autojit_attach
.hidden __autojit_attach
.type __autojit_attach,@function
.p2align 4
__autojit_attach:
.cfi_startproc
.reloc .,R_X86_64_NONE,__start_autojit_image
endbr64
subq $24,%rsp
.cfi_def_cfa_offset 32
movq __autojit_register@GOTPCREL(%rip),%rax
testq %rax,%rax
jnz .Lautojit_found
movq _DYNAMIC@GOTPCREL(%rip),%rdx
testq %rdx,%rdx
jz .Lautojit_static
xorl %ecx,%ecx
xorl %esi,%esi
xorl %r8d,%r8d
.Lautojit_dynamic:
movq (%rdx),%rax
testq %rax,%rax
jz .Lautojit_debug
movq 8(%rdx),%r9
cmpq $1,%rax
cmoveq %rax,%r8
cmpq $1879048187,%rax
cmoveq %r9,%rcx
cmpq $21,%rax
cmoveq %r9,%rsi
addq $16,%rdx
jmp .Lautojit_dynamic
.Lautojit_debug:
testq %r8,%r8
jnz .Lautojit_list
testl $134217728,%ecx
jnz .Lautojit_static
.Lautojit_list:
testq %rsi,%rsi
jz .Lautojit_alone
movq 8(%rsi),%rdx
.Lautojit_object:
testq %rdx,%rdx
jz .Lautojit_alone
xorl %esi,%esi
movq 16(%rdx),%rcx
.Lautojit_entry:
movq (%rcx),%rax
testq %rax,%rax
jz .Lautojit_tables
movq 8(%rcx),%r9
cmpq (%rdx),%r9
jae .Lautojit_relocated
addq (%rdx),%r9
.Lautojit_relocated:
cmpq $5,%rax
cmoveq %r9,%r8
cmpq $6,%rax
cmoveq %r9,%rdi
cmpq $1879047925,%rax
cmoveq %r9,%rsi
addq $16,%rcx
jmp .Lautojit_entry
.Lautojit_tables:
testq %rsi,%rsi
jz .Lautojit_next
movl (%rsi),%r9d
testl %r9d,%r9d
jz .Lautojit_next
movl 8(%rsi),%ecx
leaq 16(%rsi,%rcx,8),%r10
movq %rdx,%r11
movl $0x4d8e84e7,%eax
xorl %edx,%edx
divl %r9d
movl (%r10,%rdx,4),%ecx
movq %r11,%rdx
leaq (%r10,%r9,4),%r10
movl 4(%rsi),%r9d
cmpl %r9d,%ecx
jb .Lautojit_next
.Lautojit_symbol:
movl %ecx,%eax
subl %r9d,%eax
movl (%r10,%rax,4),%r11d
movl %r11d,%eax
orl $1,%eax
cmpl $0x4d8e84e7|1,%eax
jne .Lautojit_chain
leaq (%rcx,%rcx,2),%rax
leaq (%rdi,%rax,8),%rax
cmpw $0,6(%rax)
je .Lautojit_chain
movl (%rax),%esi
addq %r8,%rsi
movq %rax,(%rsp)
movq %rcx,8(%rsp)
movq %rdi,16(%rsp)
leaq .Lautojit_register(%rip),%rdi
movl $19,%ecx
repe cmpsb
movq (%rsp),%rax
movq 8(%rsp),%rcx
movq 16(%rsp),%rdi
jne .Lautojit_chain
movq 8(%rax),%rax
addq (%rdx),%rax
.Lautojit_found:
leaq __autojit_image(%rip),%rdi
callq *%rax
addq $24,%rsp
.cfi_def_cfa_offset 8
retq
.cfi_def_cfa_offset 32
.Lautojit_chain:
incl %ecx
testl $1,%r11d
jz .Lautojit_symbol
.Lautojit_next:
movq 24(%rdx),%rdx
jmp .Lautojit_object
.Lautojit_alone:
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
