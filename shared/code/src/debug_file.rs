//! The files that a debugger reads: compiled objects, at the addresses where they were linked to.
//!
//! Receives objects and what became of their sections, or descriptions of code; hands on an ELF relocatable file for gdb's JIT interface. In it,
//! section headers carry addresses; code and data, which the debugger reads from the process, have no bytes; debugging
//! sections and .eh_frame of all objects lie one behind the other, relocated, as linkers leave them. A debugger looks at all
//! of its breakpoints anew for each file, so a program's modules share one.

use std::collections::BTreeMap;

use goblin::elf64::header::ET_REL;
use goblin::elf64::section_header::{
    SHF_ALLOC, SHF_GROUP, SHN_ABS, SHN_LORESERVE, SHN_UNDEF, SHT_GROUP, SHT_NOBITS, SHT_PROGBITS, SHT_RELA,
    SHT_STRTAB, SHT_SYMTAB, SectionHeader,
};
use goblin::elf64::sym::{STB_LOCAL, STT_FILE, STT_SECTION, Sym};

use crate::arch::reloc::{self, Field};
use crate::describe::{File, SYMBOL, TEXT};
use crate::description::{Description, FRAMES_AT};
use crate::eh_frame;
use crate::link::LinkError;
use crate::object::{ElfObject, bytes_of, malformed};

/// Begins the names of sections that stand for the stubs of functions, whose names follow: the engine describes a stub
/// as a part of its function.
pub const STUB_SECTION: &str = ".autojit.stub.";

const FRAMES: &str = ".eh_frame";
/// Sections of tables that objects share, and [`File`]'s own.
const OTHERS: usize = 64;
/// Sections at most: higher numbers mean something else.
const SECTIONS: usize = SHN_LORESERVE as usize - OTHERS;
/// Bytes of all tables together: offsets in them have 32 bits, and some readers take them for signed.
const BYTES: usize = 1 << 30;

/// A file in the making.
#[derive(Debug, Default)]
pub struct DebugFile {
    /// What is in memory: the debugger gets its address.
    loaded: Vec<(String, SectionHeader)>,
    /// The other sections by name.
    tables: BTreeMap<String, Vec<u8>>,
    /// Local and other symbols, as they are in the file.
    symbols: [Vec<u8>; 2],
    strings: Vec<u8>,
    /// Where .eh_frame is said to be: some distance behind the first code.
    frames: u64,
}

/// Where a section of an object is.
#[derive(Clone, Copy)]
enum Destination {
    /// In memory, at this address; the number of its section in the file.
    Loaded(u64, u16),
    /// In a table of the file, from this offset on.
    Table(usize),
    /// Nowhere.
    Gone,
}

impl DebugFile {
    /// Adds `object`, whose loaded sections are `sections`: index and address. `address` is asked for each symbol that the
    /// object refers to and does not define, and for each stub; None gives a symbol address 0, which debuggers read as
    /// "optimised out".
    ///
    /// # Errors
    /// The object is malformed. Nothing of it was added.
    pub fn add(
        &mut self,
        object: &[u8],
        sections: &[(u32, usize)],
        address: impl FnMut(&str) -> Option<usize>,
    ) -> Result<(), LinkError> {
        let lens = (self.loaded.len(), self.symbols.each_ref().map(Vec::len), self.strings.len());
        let tables: BTreeMap<String, usize> =
            self.tables.iter().map(|(name, table)| (name.clone(), table.len())).collect();
        self.add_all(&ElfObject::parse(object)?, sections, address).inspect_err(|_| {
            self.loaded.truncate(lens.0);
            self.symbols.iter_mut().zip(lens.1).for_each(|(symbols, len)| symbols.truncate(len));
            self.strings.truncate(lens.2);
            self.tables
                .iter_mut()
                .for_each(|(name, table)| table.truncate(tables.get(name).copied().unwrap_or(0)));
        })
    }

    /// Adds what names the functions of the code at `text`.
    ///
    /// # Errors
    /// It is damaged. Nothing of it was added.
    pub fn add_description(&mut self, description: &Description, text: usize) -> Result<(), LinkError> {
        self.add(description.bytes(), &[(TEXT.into(), text)], |_| None)
    }

    /// Whether `object` is to be put into another file.
    pub fn has_no_room_for(&self, object: &[u8]) -> bool {
        let bytes: usize = self.tables.values().map(Vec::len).sum();
        let sections = ElfObject::parse(object).map_or(0, |object| object.sections.len());
        !self.is_empty() && (self.loaded.len() + sections > SECTIONS || bytes + object.len() > BYTES)
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.loaded.is_empty()
    }

    fn add_all(
        &mut self,
        object: &ElfObject<'_>,
        sections: &[(u32, usize)],
        mut address: impl FnMut(&str) -> Option<usize>,
    ) -> Result<(), LinkError> {
        if self.strings.is_empty() {
            self.strings.push(0);
        }
        let mut destinations = Vec::with_capacity(object.sections.len());
        for (index, header) in object.sections.iter().enumerate() {
            let name = object.section_name(&header)?;
            let known = sections.iter().find(|section| section.0 as usize == index).map(|section| section.1);
            destinations.push(if header.sh_flags & u64::from(SHF_ALLOC) == 0 || name == FRAMES {
                self.add_table(object, &header, name)?
            } else if let Some(function) = name.strip_prefix(STUB_SECTION) {
                let stub = address(function).ok_or_else(|| malformed(format!("no stub of '{function}'")))?;
                self.add_loaded(name, header, stub as u64)
            } else if let Some(known) = known {
                self.add_loaded(name, header, known as u64)
            } else {
                Destination::Gone
            });
        }
        self.add_symbols(object, &destinations)?;
        self.relocate(object, &destinations, address)
    }

    fn add_loaded(&mut self, name: &str, header: SectionHeader, address: u64) -> Destination {
        if self.frames == 0 {
            self.frames = address + FRAMES_AT as u64;
        }
        self.loaded.push((name.to_owned(), SectionHeader { sh_addr: address, ..header }));
        // The first one is none.
        Destination::Loaded(address, self.loaded.len() as u16)
    }

    fn add_table(
        &mut self,
        object: &ElfObject<'_>,
        header: &SectionHeader,
        name: &str,
    ) -> Result<Destination, LinkError> {
        if matches!(header.sh_type, SHT_RELA | SHT_GROUP | SHT_SYMTAB | SHT_STRTAB) || header.sh_size == 0 {
            return Ok(Destination::Gone);
        }
        let table = match self.tables.get_mut(name) {
            Some(table) => table,
            None => self.tables.entry(name.to_owned()).or_default(),
        };
        table.resize(table.len().next_multiple_of(header.sh_addralign.clamp(1, 16) as usize), 0);
        let start = table.len();
        table.extend_from_slice(object.content(header)?);
        if name == FRAMES && header.sh_addr != 0 {
            // A description's, which is relocated.
            let to = self.frames as usize + start;
            eh_frame::shift(&mut table[start..], header.sh_addr as usize, to).map_err(malformed)?;
        }
        Ok(Destination::Table(start))
    }

    /// Adds the names of code and data.
    fn add_symbols(&mut self, object: &ElfObject<'_>, destinations: &[Destination]) -> Result<(), LinkError> {
        for symbol in object.symbols.iter() {
            let Some(Destination::Loaded(_, number)) = destinations.get(symbol.st_shndx as usize) else {
                continue;
            };
            if matches!(symbol.st_info & 0xf, STT_SECTION | STT_FILE) {
                continue;
            }
            let is_global = symbol.st_info >> 4 != STB_LOCAL;
            let name = object.symbol_name(&symbol)?;
            let symbol = Sym { st_name: self.strings.len() as u32, st_shndx: *number, ..symbol };
            self.symbols[usize::from(is_global)].extend_from_slice(bytes_of(&symbol));
            self.strings.extend_from_slice(name.as_bytes());
            self.strings.push(0);
        }
        Ok(())
    }

    fn relocate(
        &mut self,
        object: &ElfObject<'_>,
        destinations: &[Destination],
        mut address: impl FnMut(&str) -> Option<usize>,
    ) -> Result<(), LinkError> {
        let mut undefined: BTreeMap<u32, Option<u64>> = BTreeMap::new();
        for relocations in object.relocations() {
            let (section, entries) = relocations?;
            let Some(Destination::Table(start)) = destinations.get(section).copied() else { continue };
            let header =
                object.sections.get(section).ok_or_else(|| malformed("relocations of no section"))?;
            let name = object.section_name(&header)?;
            // P of the table's first byte.
            let base = if name == FRAMES { self.frames } else { 0 };
            let Some(table) = self.tables.get_mut(name) else { continue };
            for entry in entries.iter() {
                let number = (entry.r_info >> 32) as u32;
                let symbol = object
                    .symbols
                    .get(number as usize)
                    .ok_or_else(|| malformed("a relocation of no symbol"))?;
                let value = match u32::from(symbol.st_shndx) {
                    SHN_UNDEF => match undefined.get(&number) {
                        Some(known) => *known,
                        None => {
                            let found = address(object.symbol_name(&symbol)?).map(|found| found as u64);
                            *undefined.entry(number).or_insert(found)
                        }
                    },
                    SHN_ABS => Some(symbol.st_value),
                    index => match destinations.get(index as usize) {
                        Some(Destination::Loaded(address, _)) => Some(address.wrapping_add(symbol.st_value)),
                        Some(Destination::Table(offset)) => {
                            Some((*offset as u64).wrapping_add(symbol.st_value))
                        }
                        Some(Destination::Gone) | None => None,
                    },
                };
                let at = start.checked_add(entry.r_offset as usize);
                let at = at.ok_or_else(|| malformed("a relocation outside its section"))?;
                let place = base.wrapping_add(at as u64);
                let sum = value.map_or(0, |value| value.wrapping_add_signed(entry.r_addend));
                let (word, width) = match reloc::field(entry.r_info as u32) {
                    Some(Field::Unchanged) => continue,
                    // Which variable it is, the object does not say.
                    Some(Field::ThreadLocal) => (entry.r_addend.cast_unsigned(), 8),
                    Some(Field::Of(form)) => {
                        let word = match form.is_relative() {
                            true if value.is_none() => 0,
                            true => sum.wrapping_sub(place),
                            false => sum,
                        };
                        if !form.holds(word) {
                            return Err(malformed(format!("a relocation in {name} that leads too far")));
                        }
                        (word, form.width())
                    }
                    None => {
                        let kind = entry.r_info as u32;
                        return Err(LinkError::Unsupported(format!("relocation {kind} in {name}")));
                    }
                };
                let bytes = at.checked_add(width).and_then(|end| table.get_mut(at..end));
                let bytes = bytes.ok_or_else(|| malformed("a relocation outside its section"))?;
                bytes.copy_from_slice(&word.to_le_bytes()[..width]);
            }
        }
        Ok(())
    }

    /// Stubs have unwind tables of their own in the program; a debugger that takes them for this file's looks for them here.
    fn add_frames_of_stubs(&mut self) {
        let stubs = self.loaded.iter().filter(|(name, _)| name.starts_with(STUB_SECTION));
        let frames = eh_frame::distant_frames(stubs.map(|(_, header)| {
            let start = header.sh_addr as usize;
            start..start + header.sh_size as usize
        }));
        if !frames.is_empty() {
            self.tables.entry(FRAMES.to_owned()).or_default().extend_from_slice(&frames);
        }
    }

    /// The file.
    pub fn finish(mut self) -> Vec<u8> {
        self.add_frames_of_stubs();
        let size: usize = self.tables.values().map(Vec::len).sum();
        let [mut symbols, mut globals] = self.symbols;
        let mut file = File::with_room(ET_REL, size + symbols.len() + globals.len() + self.strings.len());
        for (name, header) in &self.loaded {
            let flags = header.sh_flags as u32 & !SHF_GROUP;
            file.header(name, SHT_NOBITS, flags, [header.sh_addr, 64, header.sh_size], [0, 0], 0);
        }
        symbols.splice(0..0, [0; SYMBOL]);
        let locals = symbols.len() / SYMBOL;
        symbols.append(&mut globals);
        let strings = self.loaded.len() as u32 + 2;
        file.add(".symtab", SHT_SYMTAB, &symbols, [strings, locals as u32], SYMBOL);
        file.add(".strtab", SHT_STRTAB, &self.strings, [0, 0], 0);
        for (name, table) in &self.tables {
            file.add(name, SHT_PROGBITS, table, [0, 0], 0);
            if name == FRAMES {
                file.allocate_last(self.frames);
            }
        }
        file.finish()
    }
}
