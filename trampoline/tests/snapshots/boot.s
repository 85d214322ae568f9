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
.weak _r_debug
.pushsection .data.autojit,"awG",@progbits,__autojit_searched,comdat
.weak __autojit_searched
.hidden __autojit_searched
.type __autojit_searched,@object
.p2align 0
__autojit_searched:
.byte 0
.size __autojit_searched,.-__autojit_searched
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
subq $72,%rsp
.cfi_def_cfa_offset 72+8
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
jnz .Lautojit_listed
movq _r_debug@GOTPCREL(%rip),%rsi
testq %rsi,%rsi
jz .Lautojit_alone
.Lautojit_listed:
movq %rsi,48(%rsp)
leaq .Lautojit_name_0(%rip),%rdi
movl $19,%esi
movl $0x4d8e84e7,%edx
callq .Lautojit_find
testq %rax,%rax
jnz .Lautojit_found
movq 48(%rsp),%rax
cmpl $0,24(%rax)
jne .Lautojit_alone
movb $1,%al
xchgb %al,__autojit_searched(%rip)
testb %al,%al
jnz .Lautojit_alone
leaq .Lautojit_name_1(%rip),%rdi
movl $21,%esi
movl $0xf01494a9,%edx
callq .Lautojit_find
testq %rax,%rax
jz .Lautojit_alone
cmpl $0,(%rax)
jne .Lautojit_alone
leaq .Lautojit_name_2(%rip),%rdi
movl $7,%esi
movl $0xf9040207,%edx
callq .Lautojit_find
testq %rax,%rax
jz .Lautojit_alone
movq %rax,56(%rsp)
leaq .Lautojit_name_3(%rip),%rdi
movl $8,%esi
movl $0x6ba3dda6,%edx
callq .Lautojit_find
testq %rax,%rax
jz .Lautojit_alone
movq (%rax),%r8
testq %r8,%r8
jz .Lautojit_alone
.Lautojit_variables:
movq (%r8),%rdi
testq %rdi,%rdi
jz .Lautojit_recorded
addq $8,%r8
leaq .Lautojit_variable(%rip),%rsi
movl $16,%ecx
repe cmpsb
jne .Lautojit_variables
cmpb $0,(%rdi)
je .Lautojit_recorded
movl $0x102,%esi
callq *56(%rsp)
jmp .Lautojit_opened
.Lautojit_recorded:
leaq .Lautojit_path(%rip),%rdi
cmpb $0,(%rdi)
je .Lautojit_usual
movl $0x102,%esi
callq *56(%rsp)
testq %rax,%rax
jnz .Lautojit_opened
.Lautojit_usual:
leaq .Lautojit_library(%rip),%rdi
movl $0x102,%esi
callq *56(%rsp)
.Lautojit_opened:
leaq .Lautojit_name_0(%rip),%rdi
movl $19,%esi
movl $0x4d8e84e7,%edx
callq .Lautojit_find
testq %rax,%rax
jnz .Lautojit_found
.Lautojit_alone:
movl $1,%eax
movl $2,%edi
leaq .Lautojit_no_runtime(%rip),%rsi
movl $169,%edx
syscall
movl $231,%eax
movl $127,%edi
syscall
ud2
.Lautojit_no_runtime:
.ascii "autojit: this program (or a library it uses) was compiled lazily and needs libautojit.so to run: use `autojit-run PROGRAM`, or say in AUTOJIT_RUNTIME where that file is\n"
.Lautojit_static:
movl $1,%eax
movl $2,%edi
leaq .Lautojit_static_message(%rip),%rsi
movl $207,%edx
syscall
movl $231,%eax
movl $127,%edi
syscall
ud2
.Lautojit_static_message:
.ascii "autojit: this program was compiled lazily and linked statically, or with -nostdlib, so that it cannot load libautojit.so: link it with -lautojit_static-x86_64, or as a program that uses the shared C library\n"
.Lautojit_found:
leaq __autojit_image(%rip),%rdi
callq *%rax
addq $72,%rsp
.cfi_def_cfa_offset 8
retq
.cfi_def_cfa_offset 72+8
.Lautojit_find:
.cfi_def_cfa_offset 72+16
movq %rdi,24+8(%rsp)
movl %esi,32+8(%rsp)
movl %edx,40+8(%rsp)
movq 48+8(%rsp),%rdx
movq 8(%rdx),%rdx
.Lautojit_object:
testq %rdx,%rdx
jz .Lautojit_absent
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
movl 40+8(%rsp),%eax
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
xorl 40+8(%rsp),%eax
shrl $1,%eax
jnz .Lautojit_chain
leaq (%rcx,%rcx,2),%rax
leaq (%rdi,%rax,8),%rax
cmpw $0,6(%rax)
je .Lautojit_chain
movl (%rax),%esi
addq %r8,%rsi
movq %rax,8(%rsp)
movq %rcx,16(%rsp)
movq %rdi,24(%rsp)
movq 24+8(%rsp),%rdi
movl 32+8(%rsp),%ecx
repe cmpsb
movq 8(%rsp),%rax
movq 16(%rsp),%rcx
movq 24(%rsp),%rdi
jne .Lautojit_chain
movq 8(%rax),%rax
addq (%rdx),%rax
retq
.Lautojit_chain:
incl %ecx
testl $1,%r11d
jz .Lautojit_symbol
.Lautojit_next:
movq 24(%rdx),%rdx
jmp .Lautojit_object
.Lautojit_absent:
xorl %eax,%eax
retq
.cfi_endproc
.Lautojit_name_0:
.asciz "__autojit_register"
.Lautojit_name_1:
.asciz "__libc_enable_secure"
.Lautojit_name_2:
.asciz "dlopen"
.Lautojit_name_3:
.asciz "environ"
.Lautojit_variable:
.asciz "AUTOJIT_RUNTIME="
.Lautojit_path:
.asciz ""
.Lautojit_library:
.asciz "libautojit.so"
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
