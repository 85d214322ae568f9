//! x86-64.

mod relocate;

/// What the ELF header of a library for this machine says.
pub const MACHINE: u16 = goblin::elf::header::EM_X86_64;
