.section .text.autojit,"ax",@progbits
.cfi_startproc
.globl plain
.type plain,@function
.p2align 3,0xcc
plain:
.Lautojit_stub_0:
jmpq *.Lautojit_slot_0(%rip)
.Lautojit_lazy_0:
.byte 0x90
callq .Lautojit_enter
.byte 0xeb,0xf2
.size plain,.-plain
.type "odd name",@function
.p2align 3,0xcc
"odd name":
.Lautojit_stub_8:
jmpq *.Lautojit_slot_8(%rip)
.Lautojit_lazy_8:
.byte 0x90
callq .Lautojit_enter
.byte 0xeb,0xf2
.size "odd name",.-"odd name"
.cfi_adjust_cfa_offset 8
.Lautojit_enter:
jmpq *__autojit_entry(%rip)
.cfi_endproc
.section autojit_slots,"awR",@progbits
.p2align 4
.Lautojit_slot_0:
.quad .Lautojit_lazy_0
.long .Lautojit_module-.
.long 0
.p2align 4
.Lautojit_slot_8:
.quad .Lautojit_lazy_8
.long -15
.long 8
.section .text.autojit,"axG",@progbits,_ZN1SC5Ev,comdat
.cfi_startproc
.weak _ZN1SC2Ev
.hidden _ZN1SC2Ev
.type _ZN1SC2Ev,@function
.p2align 6,0xcc
_ZN1SC2Ev:
endbr64
jmpq *.Lautojit_slot_7(%rip)
.Lautojit_lazy_7:
callq *__autojit_entry(%rip)
.byte 0xeb,0xf2
.size _ZN1SC2Ev,.-_ZN1SC2Ev
.cfi_endproc
.section autojit_slots,"awRG",@progbits,_ZN1SC5Ev,comdat
.p2align 4
.Lautojit_slot_7:
.quad .Lautojit_lazy_7
.long .Lautojit_module-.
.long 7
.globl "other name"
.protected "other name"
.type "other name",@function
.set "other name",plain
