//! What debuggers find in a program's file about the lines of its lazy functions, before it runs and their code is there: that
//! the source files exist, so that a breakpoint by file and line can be set at once. As assembler text, for the plugin.
//!
//! Receives a unit and its source files; appends debug information of its own (DWARF 4, sections of the usual names beside
//! those of the host). In its line table, each file has one row, at a byte that nothing executes, for a line behind
//! all others. A debugger takes the first row at or behind the line that was asked for, so that is where it puts the
//! breakpoint; and it looks again when the runtime describes compiled code, where it finds the line itself. Rows for the
//! lines themselves would stay locations of the breakpoint for ever.
//!
//! `main` is described as the function that its stub is: its file is the one that a line without a file is in. It has no row,
//! which lldb would take for the nearest to lines in front of it, and stay there. The unit's range has the rows only: with
//! the stub in it, gdb would look no further for that function.

use crate::contract::{INDIRECT_LEN, SHORT_LEN};
use crate::emit::{Text, asciz};

/// A source file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// The directory that its name is relative to.
    pub directory: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
}

/// What is described.
#[derive(Debug)]
pub struct Unit<'a> {
    /// The unit's own file.
    pub file: &'a File,
    /// Its language (DW_AT_language).
    pub language: u16,
    /// The files in which lazy functions are.
    pub files: &'a [File],
    /// The index of `main`, if its stub is here.
    pub main: Option<u32>,
    /// The container's key, which makes the bytes that the rows are for differ from other modules': linkers fold what
    /// is the same.
    pub key: [u8; 32],
}

/// The line of the rows: more than a file has.
pub const BEHIND: u32 = 1_000_000;

/// Bytes of a stub without endbr64.
const STUB: usize = 2 * INDIRECT_LEN + SHORT_LEN;

impl Text {
    /// Appends the description of a unit's files. Its stubs precede it ([`Text::stubs`]).
    pub fn lines(&mut self, unit: &Unit<'_>) {
        // R: nothing refers to it but what linkers do not count.
        self.line(format_args!(".section .text.autojit.lines,\"axR\",@progbits"));
        self.line(format_args!(".Lautojit_lines:"));
        let key: Vec<String> = unit.key.iter().map(|byte| format!("{byte:#04x}")).collect();
        self.line(format_args!(".byte {}", key.join(",")));
        let bytes = unit.files.len().max(unit.key.len());
        self.line(format_args!(".fill {},1,0xcc", bytes - unit.key.len()));
        self.abbreviations();
        self.unit(unit, bytes);
        self.line_table(unit);
        self.line(format_args!(".text"));
    }

    /// A section beside the host's of that name, whose start the host may count on.
    fn debug_section(&mut self, name: &str) {
        self.line(format_args!(".section {name},\"\",@progbits,unique,{UNIQUE}"));
    }

    fn abbreviations(&mut self) {
        self.debug_section(".debug_abbrev");
        self.line(format_args!(".Lautojit_abbreviations:"));
        // DW_TAG_compile_unit with children: name and comp_dir (string), language (data2), stmt_list (sec_offset),
        // low_pc (addr), high_pc (data4).
        self.line(format_args!(
            ".byte 1,0x11,1,0x03,0x08,0x1b,0x08,0x13,0x05,0x10,0x17,0x11,0x01,0x12,0x06,0,0"
        ));
        // DW_TAG_subprogram: name (string), external (flag_present), low_pc, high_pc.
        self.line(format_args!(".byte 2,0x2e,0,0x03,0x08,0x3f,0x19,0x11,0x01,0x12,0x06,0,0,0"));
    }

    fn unit(&mut self, unit: &Unit<'_>, bytes: usize) {
        self.debug_section(".debug_info");
        self.line(format_args!(".long .Lautojit_unit_end-.Lautojit_unit"));
        self.line(format_args!(".Lautojit_unit:"));
        self.line(format_args!(".short 4"));
        self.line(format_args!(".long .Lautojit_abbreviations"));
        self.line(format_args!(".byte 8,1"));
        self.line(format_args!(".asciz {}", asciz(&unit.file.name)));
        self.line(format_args!(".asciz {}", asciz(&unit.file.directory)));
        self.line(format_args!(".short {:#x}", unit.language));
        self.line(format_args!(".long .Lautojit_line_table"));
        self.line(format_args!(".quad .Lautojit_lines"));
        self.line(format_args!(".long {bytes}"));
        if let Some(index) = unit.main {
            self.line(format_args!(".byte 2"));
            self.line(format_args!(".asciz \"main\""));
            self.line(format_args!(".quad .Lautojit_stub_{index}"));
            self.line(format_args!(".long {STUB}"));
        }
        self.line(format_args!(".byte 0"));
        self.line(format_args!(".Lautojit_unit_end:"));
    }

    fn line_table(&mut self, unit: &Unit<'_>) {
        self.debug_section(".debug_line");
        self.line(format_args!(".Lautojit_line_table:"));
        self.line(format_args!(".long .Lautojit_rows_end-.Lautojit_line_header"));
        self.line(format_args!(".Lautojit_line_header:"));
        self.line(format_args!(".short 4"));
        self.line(format_args!(".long .Lautojit_rows-.Lautojit_files"));
        self.line(format_args!(".Lautojit_files:"));
        // Lengths of instructions, default_is_stmt, parameters of special opcodes, operands of the standard opcodes.
        self.line(format_args!(".byte 1,1,1,0xfb,14,13,0,1,1,1,1,0,0,0,1,0,0,1"));
        self.line(format_args!(".byte 0"));
        for file in unit.files {
            let own = file.directory == unit.file.directory || file.name.starts_with(b"/");
            let name = match own {
                true => file.name.clone(),
                false => [&file.directory, &b"/"[..], &file.name].concat(),
            };
            self.line(format_args!(".asciz {}", asciz(&name)));
            self.line(format_args!(".byte 0,0,0"));
        }
        self.line(format_args!(".byte 0"));
        self.line(format_args!(".Lautojit_rows:"));
        self.line(format_args!(".byte 0,9,2")); //                             DW_LNE_set_address
        self.line(format_args!(".quad .Lautojit_lines"));
        self.line(format_args!(".byte 3")); //                                 DW_LNS_advance_line
        self.line(format_args!(".sleb128 {}", i64::from(BEHIND) - 1));
        for number in 0..unit.files.len() {
            if number != 0 {
                self.line(format_args!(".byte 2,1")); //                       DW_LNS_advance_pc
            }
            self.line(format_args!(".byte 4")); //                             DW_LNS_set_file
            self.line(format_args!(".uleb128 {}", number + 1));
            self.line(format_args!(".byte 1")); //                             DW_LNS_copy
        }
        self.line(format_args!(".byte 2,1,0,1,1")); //                         advance_pc, DW_LNE_end_sequence
        self.line(format_args!(".Lautojit_rows_end:"));
    }
}

/// What tells the sections from the host's, a number that compilers do not come to.
const UNIQUE: u32 = 0x6175_746f;
