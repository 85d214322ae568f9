.section .text.autojit,"ax",@progbits
.globl plain
.type plain,@function
.p2align 3,0xcc
plain:
.cfi_startproc
jmpq *.Lautojit_slot_0(%rip)
.Lautojit_tail_0:
callq *__autojit_entry(%rip)
.byte 0xeb,0xf2
.cfi_endproc
.size plain,.-plain
.section autojit_slots,"awR",@progbits
.p2align 4
.Lautojit_slot_0:
.quad .Lautojit_tail_0
.long .Lautojit_module-.
.long 0
.section .text.autojit,"axG",@progbits,_ZN1SC5Ev,comdat
.weak _ZN1SC2Ev
.hidden _ZN1SC2Ev
.type _ZN1SC2Ev,@function
.p2align 6,0xcc
_ZN1SC2Ev:
.cfi_startproc
endbr64
jmpq *.Lautojit_slot_7(%rip)
.Lautojit_tail_7:
callq *__autojit_entry(%rip)
.byte 0xeb,0xf2
.cfi_endproc
.size _ZN1SC2Ev,.-_ZN1SC2Ev
.section autojit_slots,"awRG",@progbits,_ZN1SC5Ev,comdat
.p2align 4
.Lautojit_slot_7:
.quad .Lautojit_tail_7
.long .Lautojit_module-.
.long 7
.section .text.autojit,"ax",@progbits
.type "odd name",@function
.p2align 3,0xcc
"odd name":
.cfi_startproc
jmpq *.Lautojit_slot_8(%rip)
.Lautojit_tail_8:
callq *__autojit_entry(%rip)
.byte 0xeb,0xf2
.cfi_endproc
.size "odd name",.-"odd name"
.section autojit_slots,"awR",@progbits
.p2align 4
.Lautojit_slot_8:
.quad .Lautojit_tail_8
.long .Lautojit_module-.
.long 8
.globl "other name"
.protected "other name"
.type "other name",@function
.set "other name",plain
