//! What tells debuggers and stack traces of code from a cache: an ELF file, made with the pack, that names its functions
//! and has their unwind tables.
//!
//! Receives a unit ([`encode`]), later the mapped bytes of that file; hands them on as they are. Binding code must not
//! cost what describing it does, so nothing of the file is read or copied then but the two addresses that it lacks:
//! symbols are relative to the code, and so are unwind tables, as if they lay [`DISTANCE`] behind it. No checksum covers
//! the file, as nothing reads all of it: what is wrong in it gives wrong names.

use std::ffi::CStr;

use goblin::elf::header::ET_REL;
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS, SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB,
};

use crate::describe::{FUNCTION_INFO, File, HEADER, SECTION, STRINGS, SYMBOL, TEXT};
use crate::fixups;
use crate::reloc::Form;
use crate::unit::{Group, Segment, Source, Unit};
use crate::unwind::Named;

/// From the code to where the unwind tables are said to be: farther away than anything of ours.
const DISTANCE: usize = 1 << 30;
/// Sections of the file: none, text, symbols, strings, unwind tables, names of sections.
const SECTIONS: usize = 6;
/// The number of the unwind tables.
const FRAMES: usize = 4;
/// Where an Elf64_Shdr has its address.
const SHDR_ADDRESS: usize = 16;

/// A description in memory, for ever.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    bytes: &'static [u8],
    functions: usize,
}

/// The unwind tables of `unit` as they are at [`DISTANCE`], as far as they say where code is.
pub(crate) fn frames(unit: &Unit<'_>) -> Vec<u8> {
    let mut frames = unit.segments[Segment::Frames as usize].to_vec();
    let relative =
        Group { segment: Segment::Frames, form: Form::Rel32, source: Source::Inside(Segment::Text, 0) };
    for (group, places) in unit.fixups.groups().flatten().filter(|(group, _)| *group == relative) {
        for place in places.iter() {
            // What does not fit says nothing of code either way.
            let _ = group.form.complete(&mut frames[fixups::offset(place)..], -(DISTANCE as i64));
        }
    }
    frames
}

/// The description of `unit`, which was not in a file, in memory for ever; to be bound ([`Description::bind`]).
pub fn describe(unit: &Unit<'_>) -> &'static mut [u8] {
    encode(unit, &frames(unit)).leak()
}

/// Where [`frames`] are, for code at 0.
pub(crate) const FRAMES_AT: usize = DISTANCE;

/// The description of `unit`, whose functions have names.
pub(crate) fn encode(unit: &Unit<'_>, frames: &[u8]) -> Vec<u8> {
    let count = unit.functions.len();
    let length = unit.names.iter().map(|name| name.len() + 1).sum::<usize>().max(count * 2);
    let (mut symbols, mut strings) =
        (Vec::with_capacity((count + 1) * SYMBOL), Vec::with_capacity(1 + length));
    symbols.resize(SYMBOL, 0);
    strings.push(0);
    let mut names = unit.names.iter();
    for function in unit.functions.iter() {
        let mut put = |bytes: &[u8]| symbols.extend_from_slice(bytes);
        put(&(strings.len() as u32).to_le_bytes());
        put(&[FUNCTION_INFO, 0]);
        put(&TEXT.to_le_bytes());
        put(&u64::from(function.offset).to_le_bytes());
        put(&u64::from(function.size).to_le_bytes());
        strings.extend_from_slice(names.next().map_or(&b"?"[..], |name| name.as_bytes()));
        strings.push(0);
    }
    let mut file = File::with_room(ET_REL, symbols.len() + strings.len() + frames.len());
    let len = unit.segments[Segment::Text as usize].len() as u64;
    let text = [0, HEADER as u64, len];
    file.header(".text", SHT_NOBITS, SHF_ALLOC | SHF_EXECINSTR, text, [0, 0], 0);
    file.add(".symtab", SHT_SYMTAB, &symbols, [STRINGS, 1], SYMBOL);
    file.add(".strtab", SHT_STRTAB, &strings, [0, 0], 0);
    file.add(".eh_frame", SHT_PROGBITS, frames, [0, 0], 0);
    file.allocate_last(0);
    file.finish()
}

impl Description {
    /// The description of code with so many functions that was bound to `text`. None if `bytes` cannot be one.
    pub fn bind(bytes: &'static mut [u8], functions: usize, text: usize) -> Option<Self> {
        let symbols = functions.checked_add(1)?.checked_mul(SYMBOL)?;
        let headers = bytes.len().checked_sub(SECTIONS * SECTION)?;
        if HEADER.checked_add(symbols)? > headers {
            return None;
        }
        for (section, address) in [(TEXT as usize, text), (FRAMES, text.wrapping_add(DISTANCE))] {
            let at = headers + section * SECTION + SHDR_ADDRESS;
            bytes[at..at + 8].copy_from_slice(&address.to_le_bytes());
        }
        Some(Self { bytes, functions })
    }

    /// The file.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.functions
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.functions == 0
    }

    fn symbol(&self, number: usize) -> &'static [u8; SYMBOL] {
        let table: &'static [u8] = &self.bytes[HEADER + SYMBOL..][..self.functions * SYMBOL];
        &table.as_chunks().0[number]
    }

    /// Where a function begins, relative to the code. They are in the order of this.
    pub(crate) fn offset(&self, number: usize) -> usize {
        let [_, _, _, _, _, _, _, _, value @ .., _, _, _, _, _, _, _, _] = self.symbol(number);
        u64::from_le_bytes(*value) as usize
    }

    /// A function of the code at `text`.
    pub(crate) fn named(&self, number: usize, text: usize) -> Named {
        let symbol = self.symbol(number);
        let [name @ .., _, _, _, _] = symbol.first_chunk::<8>().expect("it is longer");
        let size = u64::from_le_bytes(*symbol.last_chunk().expect("it is longer")) as usize;
        let strings = HEADER + (self.functions + 1) * SYMBOL;
        let name = strings
            .checked_add(u32::from_le_bytes(*name) as usize)
            .and_then(|at| CStr::from_bytes_until_nul(self.bytes.get(at..)?).ok());
        Named { name: name.unwrap_or(c"?"), start: text.wrapping_add(self.offset(number)), size }
    }

    /// The names, from which another one can be made.
    pub(crate) fn names(bytes: &[u8], functions: usize) -> Option<Vec<String>> {
        let strings = HEADER.checked_add(functions.checked_add(1)?.checked_mul(SYMBOL)?)?;
        let symbols = bytes.get(HEADER + SYMBOL..strings)?;
        let name = |symbol: &[u8; SYMBOL]| {
            let at = u32::from_le_bytes(*symbol.first_chunk()?) as usize;
            let name = CStr::from_bytes_until_nul(bytes.get(strings.checked_add(at)?..)?).ok()?;
            Some(name.to_str().ok()?.to_owned())
        };
        symbols.as_chunks().0.iter().map(name).collect()
    }
}
