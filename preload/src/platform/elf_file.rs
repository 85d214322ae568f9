//! An ELF file as bytes: what its static symbol table defines.
//!
//! Receives a mapped file that may be anything; every offset is checked. With goblin's structures, but without its
//! parser, which would read all tables of a program to answer for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use goblin::elf::header::{ELFMAG, SELFMAG};
use goblin::elf::section_header::{SHN_LORESERVE, SHN_UNDEF, SHT_NOBITS, SHT_SYMTAB};
use goblin::elf::sym::{
    STB_LOCAL, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT, STV_HIDDEN, STV_INTERNAL, st_bind, st_type,
    st_visibility,
};
use goblin::elf64::header::Header;
use goblin::elf64::section_header::SectionHeader;
use goblin::elf64::sym::Sym;

use crate::platform::loaded::{Definition, gnu_hash};
use crate::sys::Map;

/// A structure that may be read from any bytes of its size.
///
/// # Safety
/// All bit patterns must be values, and there must be no padding.
unsafe trait FromBytes: Copy {}
// SAFETY: structures of integers without padding (gABI).
unsafe impl FromBytes for Header {}
// SAFETY: as above.
unsafe impl FromBytes for SectionHeader {}
// SAFETY: as above.
unsafe impl FromBytes for Sym {}

/// The structure at `offset`, if it is inside.
fn read<T: FromBytes>(bytes: &[u8], offset: usize) -> Option<T> {
    let part = bytes.get(offset..offset.checked_add(size_of::<T>())?)?;
    // SAFETY: the part has the structure's size; it may lie anywhere, so the read is unaligned.
    Some(unsafe { part.as_ptr().cast::<T>().read_unaligned() })
}

/// The NUL-terminated string at `offset`, without the NUL.
fn string(strings: &[u8], offset: usize) -> Option<&[u8]> {
    let rest = strings.get(offset..)?;
    Some(&rest[..rest.iter().position(|&byte| byte == 0)?])
}

/// An ELF64 file.
#[derive(Clone, Copy, Debug)]
pub struct ElfFile<'a> {
    bytes: &'a [u8],
    header: Header,
}

impl<'a> ElfFile<'a> {
    /// The file, or None if it is no ELF64 file.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        const CLASS: usize = 4;
        const CLASS_64: u8 = 2;
        let header: Header = read(bytes, 0)?;
        let known = &header.e_ident[..SELFMAG] == ELFMAG
            && header.e_ident[CLASS] == CLASS_64
            && header.e_shentsize as usize == size_of::<SectionHeader>();
        known.then_some(Self { bytes, header })
    }

    /// Whether memory that begins with `start` is mapped from it, as far as its header tells: a file of the path may
    /// be another one by now.
    pub fn is_mapped(&self, start: &[u8]) -> bool {
        start.len() >= size_of::<Header>() && self.bytes.starts_with(&start[..size_of::<Header>()])
    }

    fn sections(&self) -> impl Iterator<Item = SectionHeader> + use<'a> {
        let Self { bytes, header } = *self;
        let at = move |index: usize| {
            let offset = (header.e_shoff as usize).checked_add(index * size_of::<SectionHeader>())?;
            read::<SectionHeader>(bytes, offset)
        };
        // A file with more sections than fit keeps their number in the first (gABI, "ELF Header").
        let count = match header.e_shnum {
            0 => at(0).map_or(0, |first| first.sh_size as usize),
            count => count.into(),
        };
        (0..count).map_while(at)
    }

    fn content(&self, section: &SectionHeader) -> Option<&'a [u8]> {
        if section.sh_type == SHT_NOBITS {
            return None;
        }
        let start = section.sh_offset as usize;
        self.bytes.get(start..start.checked_add(section.sh_size as usize)?)
    }

    /// The functions of its static symbol table. Empty if it is stripped.
    pub fn symbols(&self) -> Symbols<'a> {
        self.find_symbols().unwrap_or(Symbols::none())
    }

    /// The addresses (as in the file) of the variables of its static symbol table; None for a name of several.
    pub fn variables(&self) -> BTreeMap<String, Option<usize>> {
        let mut variables = BTreeMap::new();
        let Some(symbols) = self.find_symbols() else { return variables };
        for number in 0..symbols.entries.len() / size_of::<Sym>() {
            if let Some((name, address)) = symbols.variable(number) {
                variables.entry(name.to_owned()).and_modify(|other| *other = None).or_insert(Some(address));
            }
        }
        variables
    }

    fn find_symbols(&self) -> Option<Symbols<'a>> {
        let section = self.sections().find(|section| section.sh_type == SHT_SYMTAB)?;
        let entries = self.content(&section)?;
        let strings = self.content(&self.sections().nth(section.sh_link as usize)?)?;
        let mut symbols = Symbols { entries, strings, index: Vec::new() };
        for number in 0..symbols.entries.len() / size_of::<Sym>() {
            if let Some(name) = symbols.name_of_function(number) {
                symbols.index.push((gnu_hash(name), number as u32));
            }
        }
        symbols.index.sort_unstable();
        Some(symbols)
    }
}

/// The functions of a mapped file's static symbol table.
#[derive(Debug)]
pub struct SymbolTable {
    /// In `map`, so never to be handed out with this lifetime.
    symbols: Symbols<'static>,
    _map: Option<Arc<Map>>,
}

impl SymbolTable {
    /// Reads a file; nothing is found in what is no ELF file, is stripped, or is not there.
    pub fn of(map: Option<Arc<Map>>) -> Self {
        // SAFETY: the bytes stay where they are until the map is dropped, with the symbols.
        let bytes =
            unsafe { std::mem::transmute::<&[u8], &'static [u8]>(map.as_deref().map_or(&[], |map| map)) };
        Self { symbols: ElfFile::parse(bytes).map_or(Symbols::none(), |file| file.symbols()), _map: map }
    }

    /// What is in it.
    pub fn symbols(&self) -> &Symbols<'_> {
        &self.symbols
    }
}

/// Functions by name.
#[derive(Debug)]
pub struct Symbols<'a> {
    entries: &'a [u8],
    strings: &'a [u8],
    /// Hash of the name and number of the symbol, sorted.
    index: Vec<(u32, u32)>,
}

impl<'a> Symbols<'a> {
    /// No symbols.
    pub const fn none() -> Self {
        Self { entries: &[], strings: &[], index: Vec::new() }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    fn entry(&self, number: usize) -> Option<Sym> {
        read(self.entries, number * size_of::<Sym>())
    }

    /// The name of a symbol that is a function which other files of the link could name.
    fn name_of_function(&self, number: usize) -> Option<&'a str> {
        let symbol = self.entry(number)?;
        let defined = symbol.st_shndx != SHN_UNDEF as u16 && u32::from(symbol.st_shndx) < SHN_LORESERVE;
        // A linker makes what is hidden local in its output, and leaves the visibility to tell it from `static`.
        let hidden = matches!(st_visibility(symbol.st_other), STV_HIDDEN | STV_INTERNAL);
        let common = st_bind(symbol.st_info) != STB_LOCAL || hidden;
        let kind = matches!(st_type(symbol.st_info), STT_NOTYPE | STT_FUNC | STT_GNU_IFUNC);
        if !(defined && common && kind) {
            return None;
        }
        std::str::from_utf8(string(self.strings, symbol.st_name as usize)?).ok()
    }

    /// Name and address of a symbol that is a variable.
    fn variable(&self, number: usize) -> Option<(&'a str, usize)> {
        let symbol = self
            .entry(number)
            .filter(|symbol| st_type(symbol.st_info) == STT_OBJECT && symbol.st_shndx != SHN_UNDEF as u16)?;
        let name = std::str::from_utf8(string(self.strings, symbol.st_name as usize)?).ok()?;
        Some((name, symbol.st_value as usize))
    }

    /// The name of the function around `address` (as in the file), be it `static` or not.
    pub fn name_around(&self, address: usize) -> Option<&'a str> {
        (0..self.entries.len() / size_of::<Sym>()).find_map(|number| {
            let symbol = self.entry(number)?;
            let offset = (address as u64).checked_sub(symbol.st_value)?;
            let around = st_type(symbol.st_info) == STT_FUNC && offset < symbol.st_size;
            std::str::from_utf8(string(self.strings, symbol.st_name as usize)?).ok().filter(|_| around)
        })
    }

    /// The function `name`, in an image loaded `base` above the addresses in its file.
    pub fn find(&self, name: &str, base: usize) -> Option<Definition> {
        let hash = gnu_hash(name);
        let first = self.index.partition_point(|(other, _)| *other < hash);
        let same = self.index[first..].iter().take_while(|(other, _)| *other == hash);
        let number =
            same.map(|(_, number)| *number as usize).find(|n| self.name_of_function(*n) == Some(name))?;
        let symbol = self.entry(number)?;
        Some(Definition {
            address: base.wrapping_add(symbol.st_value as usize),
            indirect: st_type(symbol.st_info) == STT_GNU_IFUNC,
            variable: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::File;

    fn own_file() -> &'static [u8] {
        File::open(c"/proc/self/exe", libc::O_RDONLY, 0).unwrap().map().unwrap().keep()
    }

    /// A function to look for.
    #[unsafe(no_mangle)]
    extern "C" fn autojit_test_landmark() -> u32 {
        1
    }

    #[test]
    fn finds_functions_that_are_not_dynamic() {
        let symbols = ElfFile::parse(own_file()).unwrap().symbols();
        let base = crate::platform::loaded::each(|object| std::ops::ControlFlow::Break(object.base)).unwrap();
        let found = symbols.find("autojit_test_landmark", base).unwrap();
        assert_eq!(found.address, autojit_test_landmark as *const () as usize);
        assert!(!found.indirect);
        assert_eq!(symbols.find("autojit_test_nothing", base), None);
        assert_eq!(symbols.name_around(found.address - base), Some("autojit_test_landmark"));
    }

    #[test]
    fn another_file_is_not_taken_for_the_mapped_one() {
        let (base, path) = crate::platform::loaded::each(|object| {
            use std::ops::ControlFlow;
            match object.name.to_bytes().windows(7).any(|part| part == b"libc.so") {
                true => ControlFlow::Break((object.base, object.name.to_owned())),
                false => ControlFlow::Continue(()),
            }
        })
        .unwrap();
        // SAFETY: the C library is mapped from its first byte on.
        let memory = unsafe { std::slice::from_raw_parts(base as *const u8, 4096) };
        let file = File::open(&path, libc::O_RDONLY, 0).unwrap().map().unwrap();
        assert!(ElfFile::parse(&file).unwrap().is_mapped(memory));
        assert!(!ElfFile::parse(own_file()).unwrap().is_mapped(memory));
        assert!(!ElfFile::parse(&file).unwrap().is_mapped(&memory[..10]));
    }

    #[test]
    fn any_bytes_are_survived() {
        let file = own_file();
        assert!(ElfFile::parse(b"#!/bin/sh\n").is_none());
        assert!(ElfFile::parse(&[]).is_none());
        for cut in [20, 64, 1000, file.len() / 2, file.len() - 1] {
            if let Some(file) = ElfFile::parse(&file[..cut]) {
                let _ = file.symbols().find("autojit_test_landmark", 0);
            }
        }
        // Each byte of the header turned over: no offset may lead outside.
        let mut copy = file.to_vec();
        for at in 16..64 {
            copy[at] ^= 0xff;
            if let Some(file) = ElfFile::parse(&copy) {
                file.symbols();
            }
            copy[at] ^= 0xff;
        }
    }
}
