//! Which functions of a linked file are stubs: what a lazy program has in place of a function's code.

use std::path::Path;

use autojit_trampoline::contract::{ENDBR64, INDIRECT_LEN, JMP_INDIRECT, SLOT_SECTION};
use goblin::elf::Elf;
use goblin::elf::sym::{STT_FUNC, STT_GNU_IFUNC};

/// What a linked file has under a function's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// No symbol of that name.
    Absent,
    /// A stub: it jumps through a slot of the file.
    Stub,
    /// Code of its own.
    Ordinary,
}

/// What `file` has under the symbol `name` of its symbol table. Panics if the file is not a linked ELF file.
pub fn function(file: &Path, name: &str) -> Function {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let elf = Elf::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let Some(symbol) = elf.syms.iter().find(|symbol| {
        matches!(symbol.st_type(), STT_FUNC | STT_GNU_IFUNC)
            && symbol.st_shndx != 0
            && elf.strtab.get_at(symbol.st_name) == Some(name)
    }) else {
        return Function::Absent;
    };
    let slots = elf
        .section_headers
        .iter()
        .find(|section| elf.shdr_strtab.get_at(section.sh_name) == Some(SLOT_SECTION))
        .map_or(0..0, |section| section.sh_addr..section.sh_addr + section.sh_size);
    let segment = elf
        .program_headers
        .iter()
        .find(|segment| (segment.p_vaddr..segment.p_vaddr + segment.p_filesz).contains(&symbol.st_value))
        .unwrap_or_else(|| panic!("{}: '{name}' lies in no segment", file.display()));
    let offset = (symbol.st_value - segment.p_vaddr + segment.p_offset) as usize;
    let code = bytes.get(offset..).unwrap_or_default();
    let prefix = if code.starts_with(&ENDBR64) { ENDBR64.len() } else { 0 };
    let code = &code[prefix..];
    if !code.starts_with(&JMP_INDIRECT) || code.len() < INDIRECT_LEN {
        return Function::Ordinary;
    }
    let displacement =
        i32::from_le_bytes(code[JMP_INDIRECT.len()..INDIRECT_LEN].try_into().expect("four bytes"));
    let behind = symbol.st_value + (prefix + INDIRECT_LEN) as u64;
    if slots.contains(&behind.wrapping_add_signed(displacement.into())) {
        Function::Stub
    } else {
        Function::Ordinary
    }
}
