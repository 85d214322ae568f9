//! Groups of an image pack that were linked ahead, in the bytes of the file: pages that are mapped as they are, and tables
//! that say when that is right, and what each process has to complete.
//!
//! [`prelink`](crate::prelink) makes them; the runtime adds what is known of the image ([`Prelinked`]), compares it in later
//! processes, and maps the pages ([`CodeMemory::adopt`](crate::CodeMemory::adopt)). docs/cache-format.md describes the tables.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::eh_frame::{ENTRY, FrameIndex, is_index};
use crate::link::Code;
use crate::stub;
use crate::unit::{Symbol, Usage};

/// What stands for no number, and for the image.
const NONE: u32 = u32::MAX;
/// What stands for the trampoline.
const TRAMPOLINE: u32 = u32::MAX - 1;
/// Bytes of what the header of an image pack says of the rest.
pub(crate) const HEADER: usize = 72;

/// Groups that were linked ahead, to be written. Modules are known by their position in the image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prelinked {
    /// From the pages to those of the image.
    pub distance: usize,
    /// Where the image is, if that counts; else 0.
    pub absolute: usize,
    /// Bytes of text, rodata and data: whole pages.
    pub lens: [usize; 3],
    /// All of them.
    pub bytes: Vec<u8>,
    /// The groups, by number.
    pub groups: Vec<PrelinkedGroup>,
    /// Externals that each process has to find: the group, and the number in its unit.
    pub outsides: Vec<(u32, u32)>,
    /// The same, as the image knows them.
    pub externals: Vec<Outside>,
    /// Words that each process has to write.
    pub words: Vec<Word>,
    /// What the image's tables must be like.
    pub modules: Vec<ModuleFacts>,
    /// GOT entries that must lead into the image: where in the image they are, and where they lead.
    pub got: Vec<[u32; 2]>,
    /// Slots: module, function, number of the slot, offset in the text.
    pub slots: Vec<[u32; 4]>,
    /// Inline functions, sorted: module, function, offset in the text.
    pub inline: Vec<[u32; 3]>,
    /// Functions that have stubs here, sorted: module, function.
    pub stubs: Vec<[u32; 2]>,
}

/// Where a group is among the pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PrelinkedGroup {
    /// Its text, rodata and data, from the first page on.
    pub start: [u32; 3],
    /// Their bytes.
    pub used: [u32; 3],
    /// Where in its rodata the frames are.
    pub frames: u32,
    /// Whether it has any.
    pub has_frames: bool,
    /// Their index, packed.
    pub fdes: Vec<u8>,
}

/// A word that holds an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Where it is, from the first page on.
    pub at: u32,
    /// What it leads to.
    pub base: Base,
    /// What is added.
    pub addend: i64,
}

/// What a word leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The image.
    Image,
    /// An external, by number.
    External(u32),
    /// The trampoline that lazy entries of stubs call.
    Trampoline,
}

/// An external that each process has to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outside {
    /// What it is called; numbers are those of the module.
    pub symbol: Symbol<'static>,
    /// The module, unless it has a name.
    pub module: u32,
    /// Whether it is an inline function.
    pub inline: bool,
    /// What it is used for.
    pub usage: Usage,
    /// It may stay undefined.
    pub weak: bool,
}

/// What a module's tables are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleFacts {
    /// The module: its position in the image, or its number in the file.
    pub module: u32,
    /// Where in the image its record is.
    pub record: u32,
    /// Where in the image its import table is.
    pub imports: u32,
    /// XXH3 of the import table.
    pub check: u64,
}

/// The checksum of an import table.
pub fn check_of(import_table: &[u8]) -> u64 {
    xxh3_64(import_table)
}

/// What the header of an image pack says of groups that were linked ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Where the tables are in the file; 0 if there are none.
    pub tables: usize,
    /// Their bytes.
    pub tables_len: usize,
    /// XXH3 of them.
    pub tables_check: u64,
    /// Bytes of text, rodata and data.
    pub lens: [usize; 3],
    /// XXH3 of those pages.
    pub check: u64,
    /// See [`Prelinked::distance`].
    pub distance: usize,
    /// See [`Prelinked::absolute`].
    pub absolute: usize,
}

impl Summary {
    /// Where in the file the pages are.
    pub fn pages(&self) -> Range<usize> {
        let start = (self.tables + self.tables_len).next_multiple_of(crate::arena::PAGE);
        start..start + self.lens.iter().sum::<usize>()
    }

    pub(crate) fn packed(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let [text, rodata, data] = self.lens.map(|len| len as u64);
        let numbers = [
            self.tables as u64,
            self.tables_len as u64,
            self.tables_check,
            text,
            rodata,
            data,
            self.check,
            self.distance as u64,
            self.absolute as u64,
        ];
        for (word, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *word = number.to_le_bytes();
        }
        bytes
    }

    /// None if there is nothing that was linked ahead, or what is said of it is wrong for a file of `len` bytes.
    pub(crate) fn unpacked(bytes: &[u8; HEADER], len: usize) -> Option<Self> {
        let number = |at: usize| u64::from_le_bytes(bytes.as_chunks().0[at]);
        let summary = Self {
            tables: number(0) as usize,
            tables_len: number(1) as usize,
            tables_check: number(2),
            lens: [number(3) as usize, number(4) as usize, number(5) as usize],
            check: number(6),
            distance: number(7) as usize,
            absolute: number(8) as usize,
        };
        let parts = [summary.tables, summary.tables_len, summary.lens[0], summary.lens[1], summary.lens[2]];
        let are_small = parts.iter().all(|part| *part <= len);
        let are_pages = summary.lens.iter().all(|len| *len != 0 && len.is_multiple_of(crate::arena::PAGE));
        (summary.tables != 0 && are_small && are_pages && summary.pages().end == len).then_some(summary)
    }
}

/// Numbers of entries of the tables, in their order.
const COUNTS: usize = 10;
/// Bytes of an entry of each.
const SIZES: [usize; COUNTS] = [24, 8, 16, 12, 20, 16, 36, 8, ENTRY, 1];

impl Prelinked {
    /// The tables; `number` gives the number in the file of the module at a position in the image. None if it lacks
    /// one.
    pub(crate) fn tables(&self, number: impl Fn(u32) -> Option<u32>) -> Option<Vec<u8>> {
        let mut strings = Vec::new();
        let [mut modules, mut got, mut slots, mut inline, mut externals, mut words, mut groups, mut stubs] =
            [const { Vec::new() }; 8];
        let put = |table: &mut Vec<u8>, numbers: &[u32]| {
            numbers.iter().for_each(|number| table.extend_from_slice(&number.to_le_bytes()));
        };
        for facts in &self.modules {
            let check = [facts.check as u32, (facts.check >> 32) as u32];
            put(&mut modules, &[number(facts.module)?, facts.record, facts.imports, 0, check[0], check[1]]);
        }
        self.got.iter().for_each(|entry| put(&mut got, entry));
        for [module, rest @ ..] in &self.slots {
            put(&mut slots, &[number(*module)?]);
            put(&mut slots, rest);
        }
        for [module, rest @ ..] in &self.inline {
            put(&mut inline, &[number(*module)?]);
            put(&mut inline, rest);
        }
        for [module, index] in &self.stubs {
            // Numbers in the file are in the order of positions.
            put(&mut stubs, &[number(*module)?, *index]);
        }
        for Outside { symbol, module, inline, usage, weak } in &self.externals {
            let (kind, first, second) = match symbol {
                Symbol::Name(name) => {
                    strings.extend_from_slice(name.as_bytes());
                    (0, (strings.len() - name.len()) as u32, name.len() as u32)
                }
                Symbol::Function(index) => (1, number(*module)?, *index),
                Symbol::Import(index) => (2, number(*module)?, *index),
            };
            let flags = [u32::from(*usage == Usage::Address), u32::from(*weak) | u32::from(*inline) << 1];
            put(&mut externals, &[kind, first, second, flags[0], flags[1]]);
        }
        for Word { at, base, addend } in &self.words {
            let base = match base {
                Base::Image => NONE,
                Base::Trampoline => TRAMPOLINE,
                Base::External(external) => *external,
            };
            put(&mut words, &[*at, base, *addend as u32, (*addend >> 32) as u32]);
        }
        let mut fdes = Vec::new();
        for group in &self.groups {
            put(&mut groups, &group.start);
            put(&mut groups, &group.used);
            let count = (group.fdes.len() / ENTRY) as u32;
            put(&mut groups, &[group.frames, u32::from(group.has_frames), count]);
            fdes.extend_from_slice(&group.fdes);
        }
        let tables = [modules, got, slots, inline, externals, words, groups, stubs, fdes, strings];
        let mut out = Vec::with_capacity(tables.iter().map(Vec::len).sum::<usize>() + 4 * COUNTS);
        for (table, size) in tables.iter().zip(SIZES) {
            out.extend_from_slice(&((table.len() / size) as u32).to_le_bytes());
        }
        tables.iter().for_each(|table| out.extend_from_slice(table));
        Some(out)
    }
}

/// The tables of groups that were linked ahead. Modules are known by their numbers in the file.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    modules: &'a [[u8; SIZES[0]]],
    got: &'a [[u8; SIZES[1]]],
    slots: &'a [[u8; SIZES[2]]],
    inline: &'a [[u8; SIZES[3]]],
    externals: &'a [[u8; SIZES[4]]],
    words: &'a [[u8; SIZES[5]]],
    groups: &'a [[u8; SIZES[6]]],
    stubs: &'a [[u8; SIZES[7]]],
    fdes: &'a [[u8; ENTRY]],
    strings: &'a str,
}

fn numbers<const BYTES: usize, const COUNT: usize>(entry: &[u8; BYTES]) -> [u32; COUNT] {
    let (words, _) = entry.as_chunks::<4>();
    std::array::from_fn(|at| u32::from_le_bytes(words[at]))
}

impl<'a> Tables<'a> {
    /// The tables in `bytes`, of pages of these lengths. None if they are damaged.
    pub fn open(bytes: &'a [u8], summary: &Summary) -> Option<Self> {
        if xxh3_64(bytes) != summary.tables_check {
            return None;
        }
        let (counts, mut rest) = bytes.split_first_chunk::<{ 4 * COUNTS }>()?;
        let counts: [u32; COUNTS] = numbers(counts);
        let mut number = 0;
        let mut table = || {
            let len = (counts[number] as usize).checked_mul(SIZES[number])?;
            let (table, behind) = rest.split_at_checked(len)?;
            number += 1;
            rest = behind;
            Some(table)
        };
        let tables = Self {
            modules: table()?.as_chunks().0,
            got: table()?.as_chunks().0,
            slots: table()?.as_chunks().0,
            inline: table()?.as_chunks().0,
            externals: table()?.as_chunks().0,
            words: table()?.as_chunks().0,
            groups: table()?.as_chunks().0,
            stubs: table()?.as_chunks().0,
            fdes: table()?.as_chunks().0,
            strings: std::str::from_utf8(table()?).ok()?,
        };
        (rest.is_empty() && tables.are_within(summary)).then_some(tables)
    }

    fn are_within(&self, summary: &Summary) -> bool {
        let [text, rodata, data] = summary.lens;
        let arenas = [0..text, text..text + rodata, text + rodata..text + rodata + data];
        let is_within = |group: &[u8; SIZES[6]]| {
            let [s0, s1, s2, u0, u1, u2, frames, has_frames, _] = numbers::<_, 9>(group);
            let parts = [(s0, u0), (s1, u1), (s2, u2)];
            let good = parts.iter().zip(&arenas).all(|((start, used), arena)| {
                arena.start <= *start as usize && *start as usize + *used as usize <= arena.end
            });
            good && (has_frames == 0 || frames < u1)
        };
        let total = text + rodata + data;
        let words = self.words().all(|word| {
            let is_there = |external: u32| (external as usize) < self.externals.len();
            let has_base = !matches!(word.base, Base::External(external) if !is_there(external));
            word.at as usize + 8 <= total && has_base
        });
        let mut fdes = self.fdes;
        let indices = (0..self.groups.len()).all(|group| {
            let [_, _, _, text, rodata, _, frames, _, count] = numbers::<_, 9>(&self.groups[group]);
            let Some((own, rest)) = fdes.split_at_checked(count as usize) else { return false };
            fdes = rest;
            is_index(own.as_flattened(), text as usize, rodata.saturating_sub(frames) as usize)
        });
        let stubs = match self.groups.last() {
            _ if self.stubs.is_empty() => true,
            // They are the last group.
            Some(block) => {
                let [_, _, _, text, _, data, ..] = numbers::<_, 9>(block);
                let [needed, _, slots] = stub::sizes(self.stubs.len());
                needed == text as usize && slots == data as usize
            }
            None => false,
        };
        stubs && self.groups.iter().all(is_within) && words && indices && fdes.is_empty()
    }

    /// What the image's tables must be like.
    pub fn modules(&self) -> impl Iterator<Item = ModuleFacts> {
        self.modules.iter().map(|entry| {
            let [module, record, imports, _, low, high] = numbers(entry);
            ModuleFacts { module, record, imports, check: u64::from(low) | u64::from(high) << 32 }
        })
    }

    /// GOT entries that must lead into the image: where in the image they are, and where they lead.
    pub fn got(&self) -> impl Iterator<Item = [u32; 2]> {
        self.got.iter().map(numbers)
    }

    /// Slots: module, function, number of the slot, offset in the text.
    pub fn slots(&self) -> impl Iterator<Item = [u32; 4]> {
        self.slots.iter().map(numbers)
    }

    /// Inline functions: module, function, offset in the text.
    pub fn inline(&self) -> impl Iterator<Item = [u32; 3]> {
        self.inline.iter().map(numbers)
    }

    /// The offset in the text of an inline function, if its code is of this module.
    pub fn inline_function(&self, module: u32, index: u32) -> Option<u32> {
        let number = |entry: &[u8; SIZES[3]]| numbers::<_, 3>(entry);
        let found =
            self.inline.binary_search_by_key(&[module, index], |it| number(it)[..2].try_into().expect("two"));
        Some(number(&self.inline[found.ok()?])[2])
    }

    /// Functions that have stubs: module, function.
    pub fn stubs(&self) -> impl Iterator<Item = [u32; 2]> {
        self.stubs.iter().map(numbers)
    }

    /// The addresses of the stub of a function and its slot, once the pages are at `base`, if it has one.
    pub fn stub(&self, base: usize, module: u32, index: u32) -> Option<(usize, usize)> {
        let number = self.stubs.binary_search_by_key(&[module, index], numbers).ok()?;
        let [text, _, data, ..] = numbers::<_, 9>(self.groups.last()?);
        Some(stub::of_block(base + text as usize, base + data as usize, number))
    }

    /// Externals that each process has to find. None stands for what is none.
    pub fn externals(&self) -> impl Iterator<Item = Option<Outside>> {
        self.externals.iter().map(|entry| {
            let [kind, first, second, address, flags] = numbers(entry);
            let (symbol, module) = match kind {
                0 => {
                    let end = (first as usize).checked_add(second as usize)?;
                    (Symbol::Name(self.strings.get(first as usize..end)?.to_owned().into()), NONE)
                }
                1 => (Symbol::Function(second), first),
                2 => (Symbol::Import(second), first),
                _ => return None,
            };
            let usage = if address == 0 { Usage::Call } else { Usage::Address };
            Some(Outside { symbol, module, inline: flags & 2 != 0, usage, weak: flags & 1 != 0 })
        })
    }

    /// Words that each process has to write.
    pub fn words(&self) -> impl Iterator<Item = Word> {
        self.words.iter().map(|entry| {
            let [at, base, low, high] = numbers(entry);
            let base = match base {
                NONE => Base::Image,
                TRAMPOLINE => Base::Trampoline,
                external => Base::External(external),
            };
            Word { at, base, addend: (u64::from(low) | u64::from(high) << 32) as i64 }
        })
    }
}

impl Tables<'static> {
    /// The code of each group, once the pages are at `base`. Of frames, what is asked for is read in the tables.
    pub fn codes(&self, base: usize) -> impl Iterator<Item = Code> {
        let mut fdes = self.fdes;
        self.groups.iter().map(move |group| {
            let [s0, s1, s2, text, rodata, data, frames, has_frames, count] = numbers::<_, 9>(group);
            let start = [s0, s1, s2].map(|start| base + start as usize);
            let [text, rodata, data, frames] = [text, rodata, data, frames].map(|len| len as usize);
            // `open` has added them up.
            let (own, rest) = fdes.split_at(count as usize);
            fdes = rest;
            let eh_frame = if has_frames == 0 { 0..0 } else { start[1] + frames..start[1] + rodata };
            Code {
                text: start[0]..start[0] + text,
                eh_frame,
                segments: [start[0], start[1], start[2], start[1] + frames],
                bytes: [text, rodata, data],
                fdes: FrameIndex::Mapped(own),
                ..Code::default()
            }
        })
    }
}
