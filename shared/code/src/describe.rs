//! An ELF file that describes linked code: symbols, and the debug sections of the objects that it was linked from,
//! relocated to where the code is now.
//!
//! Receives names and addresses, and objects with the addresses of their loaded sections; hands on the bytes of a file
//! for readers of a process's names and lines (libbacktrace, Rust's standard library). The file has no
//! contents beside that: its code is in memory. Sections of the same name are put one behind the other, as linkers do.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ops::Range;

use goblin::elf::header::{ELFMAG, ET_DYN, EV_CURRENT};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR, SHN_LORESERVE, SHT_NOBITS, SHT_PROGBITS, SHT_RELA, SHT_STRTAB,
    SHT_SYMTAB,
};
use goblin::elf::sym::{STB_GLOBAL, STT_FUNC};
use goblin::elf64::section_header::SectionHeader;

use crate::arch::MACHINE;
use crate::arch::reloc::{self, Field};
use crate::dwarf::{FunctionLines, Sections};
use crate::link::LinkError;
use crate::moved::{self, Moved};
use crate::object::{ElfObject, malformed};
use crate::unwind::Named;

/// An object with debug sections, and where it was linked.
#[derive(Clone, Copy, Debug)]
pub struct Linked<'a> {
    /// The object's bytes.
    pub object: &'a [u8],
    /// Index and address of its loaded sections.
    pub sections: &'a [(u32, usize)],
    /// Where its lines are now.
    pub moved: &'a [Moved],
}

/// What is added to the addresses in the file to have those in memory. One reader takes an object at 0 for the
/// executable.
pub const BASE: usize = 0x1000;

/// Size of an ELF header, a section header and a symbol (gABI).
pub(crate) const HEADER: usize = 64;
pub(crate) const SECTION: usize = 64;
pub(crate) const SYMBOL: usize = 24;

/// Binding and type of a function's symbol.
pub(crate) const FUNCTION_INFO: u8 = STB_GLOBAL << 4 | STT_FUNC;

/// The name of debug sections begins so.
const DEBUG: &str = ".debug_";

/// Whether `object` describes lines.
pub fn has_lines(object: &[u8]) -> bool {
    ElfObject::parse(object).is_ok_and(|object| {
        object.sections.iter().any(|section| object.section_name(&section) == Ok(".debug_line"))
    })
}

/// The file. `text` is where the code is; `lines` describe functions that are not in the objects. Objects that make no
/// sense are left out: they have been linked, so there are none.
pub fn elf<'o, 'l>(
    text: &Range<usize>,
    functions: impl IntoIterator<Item = Named>,
    objects: impl IntoIterator<Item = Linked<'o>>,
    lines: impl IntoIterator<Item = &'l FunctionLines>,
) -> Vec<u8> {
    let mut debug = Sections::new();
    for linked in objects {
        // What it has added until an error comes up is never referred to.
        let mut starts = BTreeMap::new();
        if add_object(&mut debug, &linked, &mut starts).is_ok() && !linked.moved.is_empty() {
            moved::apply(&mut debug, &starts, linked.moved);
        }
    }
    lines.into_iter().for_each(|function| function.append(&mut debug, BASE));
    let (mut symbols, mut strings) = (vec![0; SYMBOL], vec![0]);
    for Named { name, start, size } in functions {
        symbols.extend((strings.len() as u32).to_le_bytes());
        symbols.extend([FUNCTION_INFO, 0]);
        symbols.extend(TEXT.to_le_bytes());
        symbols.extend((start.wrapping_sub(BASE) as u64).to_le_bytes());
        symbols.extend((size as u64).to_le_bytes());
        strings.extend(CStr::to_bytes_with_nul(name));
    }
    let mut file = File::new(ET_DYN);
    file.reserve(".text", SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, text);
    file.add(".symtab", SHT_SYMTAB, &symbols, [STRINGS, 1], SYMBOL);
    file.add(".strtab", SHT_STRTAB, &strings, [0, 0], 0);
    for (name, content) in &debug {
        file.add(name, SHT_PROGBITS, content, [0, 0], 0);
    }
    file.finish()
}

/// Indexes of the first sections of the file.
pub(crate) const TEXT: u16 = 1;
pub(crate) const STRINGS: u32 = 3;

/// Adds the debug sections of an object to those by name. Notes where they start.
fn add_object<'a>(
    debug: &mut Sections<'a>,
    linked: &Linked<'a>,
    starts: &mut BTreeMap<&'a str, usize>,
) -> Result<(), LinkError> {
    let object = ElfObject::parse(linked.object)?;
    // Where each section of the object is: its address in memory, or its place in the file's section of that name.
    let mut places = vec![None; object.sections.len()];
    for &(index, address) in linked.sections {
        *places.get_mut(index as usize).ok_or_else(|| malformed("a section that is not there"))? =
            Some(address.wrapping_sub(BASE) as u64);
    }
    for (index, header) in object.sections.iter().enumerate() {
        if is_debug(&object, &header)? {
            let name = object.section_name(&header)?;
            let all = debug.entry(name).or_default();
            all.resize(all.len().next_multiple_of(header.sh_addralign.clamp(1, 16) as usize), 0);
            places[index] = Some(all.len() as u64);
            starts.insert(name, all.len());
            all.extend_from_slice(object.content(&header)?);
        }
    }
    for table in object.relocations() {
        let (section, entries) = table?;
        let Some(header) =
            object.sections.get(section).filter(|header| is_debug(&object, header) == Ok(true))
        else {
            continue;
        };
        let (Some(Some(base)), name) = (places.get(section), object.section_name(&header)?) else { continue };
        let all = debug.entry(name).or_default();
        for entry in entries.iter() {
            let kind = entry.r_info as u32;
            let width = match reloc::field(kind) {
                // Thread-local variables have no lines.
                Some(Field::Unchanged | Field::ThreadLocal) => continue,
                Some(Field::Of(form)) if !form.is_relative() => form.width(),
                _ => return Err(LinkError::Unsupported(format!("relocation {kind} in {name}"))),
            };
            let symbol = object
                .symbols
                .get((entry.r_info >> 32) as usize)
                .ok_or_else(|| malformed("a relocation of no symbol"))?;
            let place = if u32::from(symbol.st_shndx) < SHN_LORESERVE {
                places.get(symbol.st_shndx as usize).copied().flatten()
            } else {
                None
            };
            // What is not there (code that was not kept) has address 0, as linkers write it.
            let value = place
                .map_or(0, |place| place.wrapping_add(symbol.st_value).wrapping_add_signed(entry.r_addend));
            let at = *base as usize + entry.r_offset as usize;
            let bytes =
                all.get_mut(at..at + width).ok_or_else(|| malformed("a relocation outside its section"))?;
            bytes.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }
    Ok(())
}

fn is_debug(object: &ElfObject<'_>, header: &SectionHeader) -> Result<bool, LinkError> {
    let plain = header.sh_type != SHT_RELA && header.sh_flags & u64::from(SHF_COMPRESSED) == 0;
    Ok(plain && object.section_name(header)?.starts_with(DEBUG))
}

/// An ELF file under construction: sections behind the header, then their headers.
pub(crate) struct File {
    kind: u16,
    bytes: Vec<u8>,
    headers: Vec<u8>,
    names: Vec<u8>,
}

impl File {
    /// One of this type (ET_DYN, ET_REL).
    pub fn new(kind: u16) -> Self {
        Self::with_room(kind, 0)
    }

    /// The same with room for so many bytes of sections, a few of them.
    pub fn with_room(kind: u16, size: usize) -> Self {
        let zeros = |count, capacity| {
            let mut bytes = Vec::with_capacity(capacity);
            bytes.resize(count, 0);
            bytes
        };
        let (headers, names) = (SECTION * 8, 64);
        let bytes = zeros(HEADER, HEADER + size.next_multiple_of(64) + headers + names);
        Self { kind, bytes, headers: zeros(SECTION, headers), names: zeros(1, names) }
    }

    /// Adds a section that has no bytes in the file.
    fn reserve(&mut self, name: &str, kind: u32, flags: u32, range: &Range<usize>) {
        let place = [range.start.wrapping_sub(BASE) as u64, self.bytes.len() as u64, range.len() as u64];
        self.header(name, kind, flags, place, [0, 0], 0);
    }

    /// Adds a section with these bytes.
    pub fn add(&mut self, name: &str, kind: u32, content: &[u8], links: [u32; 2], entry: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let place = [0, self.bytes.len() as u64, content.len() as u64];
        self.bytes.extend_from_slice(content);
        self.header(name, kind, 0, place, links, entry);
    }

    /// Says that the last section is loaded, at `address`.
    pub fn allocate_last(&mut self, address: u64) {
        let header = self.headers.len() - SECTION;
        self.headers[header + 8] |= SHF_ALLOC as u8;
        self.headers[header + 16..header + 24].copy_from_slice(&address.to_le_bytes());
    }

    /// An Elf64_Shdr: name, type, flags, address, offset, size, link, info, alignment, entry size.
    pub fn header(
        &mut self,
        name: &str,
        kind: u32,
        flags: u32,
        place: [u64; 3],
        links: [u32; 2],
        entry: usize,
    ) {
        let headers = &mut self.headers;
        headers.extend_from_slice(&(self.names.len() as u32).to_le_bytes());
        headers.extend_from_slice(&kind.to_le_bytes());
        headers.extend_from_slice(&u64::from(flags).to_le_bytes());
        place.iter().for_each(|word| headers.extend_from_slice(&word.to_le_bytes()));
        links.iter().for_each(|link| headers.extend_from_slice(&link.to_le_bytes()));
        headers.extend_from_slice(&1_u64.to_le_bytes());
        headers.extend_from_slice(&(entry as u64).to_le_bytes());
        self.names.extend_from_slice(name.as_bytes());
        self.names.push(0);
    }

    /// The bytes: the headers of sections are the last.
    pub fn finish(mut self) -> Vec<u8> {
        let names = self.headers.len() / SECTION;
        // With its own name, which adding it puts at the end of the list.
        let content = [&self.names[..], b".shstrtab\0"].concat();
        self.add(".shstrtab", SHT_STRTAB, &content, [0, 0], 0);
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        let table = self.bytes.len() as u64;
        self.bytes.append(&mut self.headers);

        // An Elf64_Ehdr.
        let mut header = Vec::with_capacity(HEADER);
        let mut put = |bytes: &[u8]| header.extend_from_slice(bytes);
        put(ELFMAG);
        put(&[2, 1, EV_CURRENT, 0, 0, 0, 0, 0, 0, 0, 0, 0]); //  64 bits, little-endian
        put(&self.kind.to_le_bytes());
        put(&MACHINE.to_le_bytes());
        put(&1_u32.to_le_bytes()); //                            version
        put(&[0; 16]); //                                        entry, program headers
        put(&table.to_le_bytes());
        put(&0_u32.to_le_bytes()); //                            flags
        for number in [HEADER, 0, 0, SECTION, names + 1, names] {
            put(&(number as u16).to_le_bytes());
        }
        self.bytes[..HEADER].copy_from_slice(&header);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::elf::Elf;

    #[test]
    fn readers_of_elf_files_find_the_symbols() {
        let function = Named { name: c"work", start: 0x7000_1010, size: 0x20 };
        let bytes = elf(&(0x7000_1000..0x7000_2000), [function], [], []);
        let elf = Elf::parse(&bytes).expect("it is an ELF file");
        let name = |at| elf.shdr_strtab.get_at(at);
        let sections: Vec<_> = elf.section_headers.iter().filter_map(|header| name(header.sh_name)).collect();
        assert_eq!(sections, ["", ".text", ".symtab", ".strtab", ".shstrtab"]);
        assert_eq!(elf.section_headers[TEXT as usize].sh_addr, 0x7000_0000);
        let symbol = elf.syms.iter().nth(1).expect("there is one symbol");
        assert_eq!((symbol.st_value, symbol.st_size, symbol.st_type()), (0x7000_0010, 0x20, STT_FUNC));
        assert_eq!(elf.strtab.get_at(symbol.st_name), Some("work"));
    }

    #[test]
    fn what_is_no_object_is_left_out() {
        let linked = Linked { object: b"no object", sections: &[], moved: &[] };
        assert_eq!(elf(&(0..0), [], [linked], []), elf(&(0..0), [], [], []));
        assert!(!has_lines(b"no object"));
    }
}
