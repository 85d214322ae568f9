//! The file that a debugger reads: a compiled object, at the addresses where it was linked to.
//!
//! Receives the object and what became of its sections; hands on an ELF relocatable file for gdb's JIT interface. In
//! it, section headers carry addresses; code and data, which the debugger reads from the process, have no bytes;
//! debugging sections and .eh_frame keep theirs, with their relocations, which the debugger applies. What the object
//! only refers to becomes absolute, so that descriptions of variables lead to those of the image.

use goblin::elf64::section_header::{
    SHF_ALLOC, SHF_GROUP, SHN_ABS, SHN_UNDEF, SHT_GROUP, SHT_NOBITS, SHT_NULL, SHT_RELA, SectionHeader,
};
use goblin::elf64::sym::Sym;

use crate::link::LinkError;
use crate::object::{Object, bytes_of, malformed};

/// Begins the names of sections that stand for the stubs of functions, whose names follow: the engine describes a stub
/// as a part of its function.
pub const STUB_SECTION: &str = ".autojit.stub.";

const HEADER: usize = 64;
const SYMBOL: usize = size_of::<Sym>();

/// The debugger's file for `object`, whose loaded sections are `sections`: index and address. `address` is asked for each symbol that
/// the object refers to and does not define, and for each stub; None leaves a symbol undefined, which debuggers read as
/// "optimised out".
///
/// # Errors
/// The object is malformed.
pub fn debug_file(
    object: &[u8],
    sections: &[(u32, usize)],
    mut address: impl FnMut(&str) -> Option<usize>,
) -> Result<Vec<u8>, LinkError> {
    let parsed = Object::parse(object)?;
    let mut headers: Vec<SectionHeader> = parsed.sections.iter().collect();
    let described: Vec<bool> = headers
        .iter()
        .map(|header| Ok(!is_loaded(header) || parsed.section_name(header)? == ".eh_frame"))
        .collect::<Result<_, LinkError>>()?;

    let mut out = object.get(..HEADER).ok_or_else(|| malformed("shorter than an ELF header"))?.to_vec();
    let mut symbols = None;
    for (index, header) in headers.iter_mut().enumerate() {
        if let Some(section) = sections.iter().find(|section| section.0 as usize == index) {
            header.sh_addr = section.1 as u64;
        } else if let Some(function) = parsed.section_name(header)?.strip_prefix(STUB_SECTION) {
            let stub = address(function).ok_or_else(|| malformed(format!("no stub of '{function}'")))?;
            header.sh_addr = stub as u64;
        }
        let of_what = described.get(header.sh_info as usize).copied().unwrap_or(false);
        header.sh_flags &= !u64::from(SHF_GROUP);
        if header.sh_type == SHT_GROUP || header.sh_type == SHT_RELA && !of_what {
            // Relocations of the code were applied, groups were kept; numbers of sections stay what they are.
            *header =
                SectionHeader { sh_name: header.sh_name, sh_type: SHT_NULL, ..SectionHeader::default() };
        } else if !described[index] {
            header.sh_type = SHT_NOBITS;
        } else {
            let content = parsed.content(header)?;
            out.resize(out.len().next_multiple_of(16), 0);
            header.sh_offset = out.len() as u64;
            if header.sh_type == goblin::elf64::section_header::SHT_SYMTAB {
                symbols.get_or_insert(out.len());
            }
            out.extend_from_slice(content);
        }
    }
    if let Some(table) = symbols {
        for (number, symbol) in parsed.symbols.iter().enumerate().skip(1) {
            if u32::from(symbol.st_shndx) != SHN_UNDEF {
                continue;
            }
            if let Some(address) = address(parsed.symbol_name(&symbol)?) {
                let symbol = Sym { st_shndx: SHN_ABS as u16, st_value: address as u64, ..symbol };
                out[table + number * SYMBOL..][..SYMBOL].copy_from_slice(bytes_of(&symbol));
            }
        }
    }
    out.resize(out.len().next_multiple_of(16), 0);
    let table = out.len() as u64;
    // e_shoff: the ELF header's field at 40.
    out[40..48].copy_from_slice(&table.to_le_bytes());
    headers.iter().for_each(|header| out.extend_from_slice(bytes_of(header)));
    // It stays, and there are thousands.
    out.shrink_to_fit();
    Ok(out)
}

fn is_loaded(header: &SectionHeader) -> bool {
    header.sh_flags & u64::from(SHF_ALLOC) != 0
}
