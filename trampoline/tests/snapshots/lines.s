.section .text.autojit.lines,"axR",@progbits
.Lautojit_lines:
.byte 0x00,0x01,0x02,0x03,0x04,0x05,0x06,0x07,0x08,0x09,0x0a,0x0b,0x0c,0x0d,0x0e,0x0f,0x10,0x11,0x12,0x13,0x14,0x15,0x16,0x17,0x18,0x19,0x1a,0x1b,0x1c,0x1d,0x1e,0x1f
.fill 0,1,0xcc
.section .debug_abbrev,"",@progbits,unique,1635087471
.Lautojit_abbreviations:
.byte 1,0x11,1,0x03,0x08,0x1b,0x08,0x13,0x05,0x10,0x17,0x11,0x01,0x12,0x06,0,0
.byte 2,0x2e,0,0x03,0x08,0x3f,0x19,0x11,0x01,0x12,0x06,0,0,0
.section .debug_info,"",@progbits,unique,1635087471
.long .Lautojit_unit_end-.Lautojit_unit
.Lautojit_unit:
.short 4
.long .Lautojit_abbreviations
.byte 8,1
.asciz "unit.c"
.asciz "/src"
.short 0x1d
.long .Lautojit_line_table
.quad .Lautojit_lines
.long 32
.byte 2
.asciz "main"
.quad .Lautojit_stub_3
.long 14
.byte 0
.Lautojit_unit_end:
.section .debug_line,"",@progbits,unique,1635087471
.Lautojit_line_table:
.long .Lautojit_rows_end-.Lautojit_line_header
.Lautojit_line_header:
.short 4
.long .Lautojit_rows-.Lautojit_files
.Lautojit_files:
.byte 1,1,1,0xfb,14,13,0,1,1,1,1,0,0,0,1,0,0,1
.byte 0
.asciz "unit.c"
.byte 0,0,0
.asciz "/usr/include/inline.h"
.byte 0,0,0
.asciz "/src/part/odd \"name\".h"
.byte 0,0,0
.byte 0
.Lautojit_rows:
.byte 0,9,2
.quad .Lautojit_lines
.byte 3
.sleb128 999999
.byte 4
.uleb128 1
.byte 1
.byte 2,1
.byte 4
.uleb128 2
.byte 1
.byte 2,1
.byte 4
.uleb128 3
.byte 1
.byte 2,1,0,1,1
.Lautojit_rows_end:
.text
.section .text.autojit.lines,"axR",@progbits
.Lautojit_lines:
.byte 0x00,0x01,0x02,0x03,0x04,0x05,0x06,0x07,0x08,0x09,0x0a,0x0b,0x0c,0x0d,0x0e,0x0f,0x10,0x11,0x12,0x13,0x14,0x15,0x16,0x17,0x18,0x19,0x1a,0x1b,0x1c,0x1d,0x1e,0x1f
.fill 0,1,0xcc
.section .debug_abbrev,"",@progbits,unique,1635087471
.Lautojit_abbreviations:
.byte 1,0x11,1,0x03,0x08,0x1b,0x08,0x13,0x05,0x10,0x17,0x11,0x01,0x12,0x06,0,0
.byte 2,0x2e,0,0x03,0x08,0x3f,0x19,0x11,0x01,0x12,0x06,0,0,0
.section .debug_info,"",@progbits,unique,1635087471
.long .Lautojit_unit_end-.Lautojit_unit
.Lautojit_unit:
.short 4
.long .Lautojit_abbreviations
.byte 8,1
.asciz "unit.c"
.asciz "/src"
.short 0x1d
.long .Lautojit_line_table
.quad .Lautojit_lines
.long 32
.byte 0
.Lautojit_unit_end:
.section .debug_line,"",@progbits,unique,1635087471
.Lautojit_line_table:
.long .Lautojit_rows_end-.Lautojit_line_header
.Lautojit_line_header:
.short 4
.long .Lautojit_rows-.Lautojit_files
.Lautojit_files:
.byte 1,1,1,0xfb,14,13,0,1,1,1,1,0,0,0,1,0,0,1
.byte 0
.asciz "unit.c"
.byte 0,0,0
.byte 0
.Lautojit_rows:
.byte 0,9,2
.quad .Lautojit_lines
.byte 3
.sleb128 999999
.byte 4
.uleb128 1
.byte 1
.byte 2,1,0,1,1
.Lautojit_rows_end:
.text
