//! x86-64: what relocations ask for, how calls are rewritten, and stubs that the runtime makes.

pub mod patch;
pub(crate) mod reloc;
pub mod stub;

pub(crate) use goblin::elf::header::EM_X86_64 as MACHINE;
pub(crate) use goblin::elf::section_header::SHT_X86_64_UNWIND as UNWIND_SECTION;
