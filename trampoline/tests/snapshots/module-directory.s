.section autojit_modules,"aR",@progbits
.p2align 3
.Lautojit_module:
.long 0x314d4a41
.short 2
.byte 1,0
.byte 0x00,0x01,0x02,0x03,0x04,0x05,0x06,0x07,0x08,0x09,0x0a,0x0b,0x0c,0x0d,0x0e,0x0f,0x10,0x11,0x12,0x13,0x14,0x15,0x16,0x17,0x18,0x19,0x1a,0x1b,0x1c,0x1d,0x1e,0x1f
.long .Lautojit_imports-.
.long 2
.long 4
.long 9
.long .Lautojit_source-.
.long .Lautojit_store_dir-.
.quad 0
.section .text.autojit,"ax",@progbits
.p2align 2,0xcc
.Lautojit_imports:
.long stdout@GOTPCREL
.weak maybe
.long maybe@GOTPCREL
.hidden mine
.long mine-.
.long .Lautojit_stub_3-.
.reloc .,R_X86_64_PC32,another
.long 0
.long puts@PLT
.section .rodata.autojit,"a",@progbits
.Lautojit_source:
.asciz "dir/unit \"1\".c"
.Lautojit_store_dir:
.asciz "/var/store\377\""
