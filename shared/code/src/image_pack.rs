//! Image packs: what a program has needed of many modules of one image, in the bytes of one cache file.
//!
//! The code is in *groups*: units that several modules have in common, each as a [`pack`] of its own. Numbers of functions
//! and imports in a group lead into its table of [`Reference`]s, which say of which module they are. Modules are known by
//! their keys: code of a module that has changed is left alone, the rest is used. docs/cache-format.md draws the file.
//!
//! ```text
//!   0  magic "AJIMAGE\0"                 modules × 40: key: 32 bytes, position in the image, first function: 2 × u32
//!   8  version: u32, 0: u32             functions × 16: index, group, offset, counters: 4 × u32
//!  16  checksum: u64, of [24..]         groups × 56 (Group::packed)
//!  24  key: 32 bytes                    references × 20 (Reference::packed), group by group
//!  56  modules, functions, groups: 3 × u32, 0
//!  72  length: u64                      from here on at multiples of 4096: the packs; behind them their lines
//!  80  groups linked ahead: 9 × u64     tables, and at a multiple of 4096 the pages, of groups linked ahead
//! ```
//!
//! The first checksum covers what is in front of the references; each group has one of its references.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::pack::{Key, PackError, VERSION};
use crate::prelinked::{self, Summary};

pub use crate::groups::{Defined, Facts, Group, Import, encode, still_useful};

pub(crate) const MAGIC: [u8; 8] = *b"AJIMAGE\0";
pub(crate) const CHECKED: usize = 24;
const NUMBERS: usize = 56;
/// Where the header tells of groups that were linked ahead.
const AHEAD: usize = 80;
pub(crate) const HEADER: usize = AHEAD + prelinked::HEADER;
const MODULE: usize = 40;
const FUNCTION: usize = 16;
pub(crate) const GROUP: usize = 56;
const REFERENCE: usize = 20;

/// What stands for no number.
pub const NONE: u32 = u32::MAX;
/// What stands for the number of a function that another group has.
pub const ELSEWHERE: u32 = u32::MAX - 1;
/// What stands for it if nothing defined the import when its code was made, which does without then.
pub const ABSENT: u32 = u32::MAX - 2;

/// What a function or an import of a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ReferenceKind {
    /// A function that only its module can name.
    Local = 0,
    /// A function that every module may hold.
    Inline = 1,
    /// A function with a stub.
    Stub = 2,
    /// An import.
    Import = 3,
}

/// What the number of a function or an import stands for in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its module: a number of the file's table, [`NONE`] if that is gone. For [`encode`]: its position in the image.
    pub module: u32,
    /// Its index in the module's functions or imports.
    pub index: u32,
    /// Of a function with a stub: its import, else [`NONE`]. Of an import: the number of the function in the group that
    /// it leads to, [`ELSEWHERE`] if that is in another group, [`ABSENT`] if it leads nowhere, else [`NONE`].
    pub other: u32,
    /// Of a function with a stub: which slot of the image is its own, unless the image was linked anew. Of an import: the
    /// smaller number of another one that leads to the same, by which the code knows both. Else [`NONE`].
    pub slot: u32,
    /// What it is.
    pub kind: ReferenceKind,
}

impl Reference {
    pub(crate) fn packed(&self) -> [u8; REFERENCE] {
        let mut bytes = [0; REFERENCE];
        let numbers = [self.module, self.index, self.other, self.slot, self.kind as u32];
        for (word, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *word = number.to_le_bytes();
        }
        bytes
    }

    fn unpacked(bytes: &[u8; REFERENCE]) -> Option<Self> {
        let (words, _) = bytes.as_chunks::<4>();
        let word = |at: usize| u32::from_le_bytes(words[at]);
        let kind = match word(4) {
            0 => ReferenceKind::Local,
            1 => ReferenceKind::Inline,
            2 => ReferenceKind::Stub,
            3 => ReferenceKind::Import,
            _ => return None,
        };
        Some(Self { module: word(0), index: word(1), other: word(2), slot: word(3), kind })
    }
}

/// The references of a group, as they are in the file.
#[derive(Clone, Copy, Debug)]
pub struct References<'a>(&'a [[u8; REFERENCE]]);

impl References<'_> {
    /// What a number stands for.
    pub fn get(&self, number: u32) -> Option<Reference> {
        Reference::unpacked(self.0.get(number as usize)?)
    }

    /// All of them. None stands for what is none.
    pub fn iter(&self) -> impl Iterator<Item = Option<Reference>> {
        self.0.iter().map(Reference::unpacked)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Where the parts of a group are in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupRanges {
    pub(crate) references: Range<usize>,
    pub(crate) check: u64,
    /// Its pack.
    pub pack: Range<usize>,
    /// The lines of that; empty if it has none.
    pub lines: Range<usize>,
}

/// A function that a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The group.
    pub group: usize,
    /// Where it is in the group's text, unless it is an inline one.
    pub offset: Option<u32>,
    /// Where in the group's data are the counters of code that counts.
    pub counters: Option<u32>,
}

/// The index of an image pack.
#[derive(Debug)]
pub struct Index<'a> {
    /// Everything in front of the packs.
    head: &'a [u8],
    modules: &'a [[u8; MODULE]],
    functions: &'a [[u8; FUNCTION]],
    /// The groups.
    pub groups: Vec<GroupRanges>,
    /// What is said of the groups if they were linked ahead.
    pub ahead: Option<Summary>,
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

/// How much of an image pack is read when it is opened, in bytes. None if it cannot be told.
pub fn index_len(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER)?;
    let sizes = [MODULE, FUNCTION, GROUP].into_iter().enumerate();
    let mut lens = sizes.map(|(at, size)| (word(header, NUMBERS + 4 * at) as usize).checked_mul(size));
    let len = lens.try_fold(HEADER, |sum, len| sum.checked_add(len?))?;
    (len <= bytes.len()).then_some(len)
}

/// Where the packs begin, which are to be written to, in `bytes`. None if it cannot be told.
pub fn packs_at(bytes: &[u8]) -> Option<usize> {
    let len = index_len(bytes)?;
    let groups = word(bytes, NUMBERS + 8) as usize;
    let Some(first) = bytes[len - groups * GROUP..len].first_chunk::<GROUP>() else { return Some(len) };
    let at = usize::try_from(long(first, 24)).ok()?;
    (len <= at && at <= bytes.len()).then_some(at)
}

/// Whether the pages in `bytes` that were linked ahead are what was written. What nothing was linked ahead of is good.
pub fn pages_are_good(bytes: &[u8]) -> bool {
    let ahead = bytes.get(AHEAD..HEADER).and_then(<[u8]>::first_chunk);
    let summary = ahead.and_then(|ahead| Summary::unpacked(ahead, bytes.len()));
    summary.is_none_or(|it| bytes.get(it.pages()).is_some_and(|pages| xxh3_64(pages) == it.check))
}

impl<'a> Index<'a> {
    /// The index of the image pack for `key` that begins with `head`, up to [`packs_at`], and is `len` bytes long. Nothing
    /// of the groups is read.
    ///
    /// # Errors
    /// It is no undamaged one.
    pub fn open(head: &'a [u8], len: usize, key: &Key) -> Result<Self, PackError> {
        if !head.starts_with(&MAGIC) {
            return Err(PackError::Foreign);
        }
        if head.len() < HEADER {
            return Err(PackError::Damaged("it ends within its header"));
        }
        if word(head, 8) != VERSION {
            return Err(PackError::Version(word(head, 8)));
        }
        let end = index_len(head).ok_or(PackError::Damaged("it ends within its index"))?;
        if xxh3_64(&head[CHECKED..end]).to_le_bytes() != head[16..CHECKED] || word(head, 12) != 0 {
            return Err(PackError::Damaged("its checksum is another"));
        }
        if head[CHECKED..NUMBERS] != *key {
            return Err(PackError::Key);
        }
        if long(head, 72) != len as u64 {
            return Err(PackError::Damaged("it ends before its code does"));
        }
        Self::read(head, len, end).ok_or(PackError::Damaged("its tables contradict one another"))
    }

    fn read(head: &'a [u8], len: usize, end: usize) -> Option<Self> {
        let number = |at: usize| word(head, NUMBERS + 4 * at) as usize;
        let (modules, rest) = head[HEADER..end].split_at(number(0) * MODULE);
        let (functions, groups) = rest.split_at(number(1) * FUNCTION);
        let groups: &[[u8; GROUP]] = groups.as_chunks().0;
        let groups: Vec<GroupRanges> = groups.iter().map(GroupRanges::unpacked).collect::<Option<_>>()?;
        // References, packs and lines follow one another, so that each can be had by itself.
        let ranges = |part: fn(&GroupRanges) -> &Range<usize>| groups.iter().map(part);
        let parts = ranges(|it| &it.references).chain(ranges(|it| &it.pack)).chain(ranges(|it| &it.lines));
        let mut at = end;
        for range in parts {
            if range.start < at || range.end < range.start || range.end > len {
                return None;
            }
            at = range.end;
        }
        if groups.iter().any(|group| group.references.end > head.len()) {
            return None;
        }
        let ahead = Summary::unpacked(head[AHEAD..HEADER].first_chunk()?, len);
        if ahead.is_some_and(|ahead| ahead.tables < at) {
            return None;
        }
        let (modules, functions) = (modules.as_chunks().0, functions.as_chunks().0);
        let index = Self { head, modules, functions, groups, ahead };
        let firsts = || index.modules.iter().map(|module| word(module, 36) as usize);
        let positions = index.modules.iter().map(|module| word(module, 32));
        let good = firsts().is_sorted()
            && firsts().all(|first| first <= index.functions.len())
            && positions.is_sorted_by(|a, b| a < b)
            && index.functions.iter().all(|it| (word(it, 4) as usize) < index.groups.len());
        good.then_some(index)
    }

    /// How many modules there are.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// How many functions others can call.
    pub fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// The key of a module, and its position in the image that the file was written for.
    pub fn module(&self, number: u32) -> Option<(&'a Key, u32)> {
        let module = self.modules.get(number as usize)?;
        Some((module.first_chunk().expect("it is longer"), word(module, 32)))
    }

    /// The module that was at this position.
    pub fn module_at(&self, position: u32) -> Option<u32> {
        let number = self.modules.binary_search_by_key(&position, |module| word(module, 32)).ok()?;
        Some(number as u32)
    }

    /// What is said of a function of a module.
    pub fn find(&self, module: u32, function: u32) -> Option<Found> {
        let functions = self.functions_of(module)?;
        let found = functions.binary_search_by_key(&function, |entry| word(entry, 0)).ok()?;
        let number = |at: usize| Some(word(&functions[found], at)).filter(|number| *number != NONE);
        Some(Found { group: word(&functions[found], 4) as usize, offset: number(8), counters: number(12) })
    }

    /// The functions of a module, with their groups.
    pub fn functions(&self, module: u32) -> impl Iterator<Item = (u32, usize)> {
        let functions = self.functions_of(module).unwrap_or_default();
        functions.iter().map(|entry| (word(entry, 0), word(entry, 4) as usize))
    }

    fn functions_of(&self, module: u32) -> Option<&'a [[u8; FUNCTION]]> {
        let first = |module: &[u8; MODULE]| word(module, 36) as usize;
        let start = first(self.modules.get(module as usize)?);
        let end = self.modules.get(module as usize + 1).map_or(self.functions.len(), first);
        Some(&self.functions[start..end])
    }

    /// The references of a group.
    ///
    /// # Errors
    /// They are damaged.
    pub fn references(&self, group: usize) -> Result<References<'a>, PackError> {
        let damaged = PackError::Damaged("its references are others");
        let group = self.groups.get(group).ok_or(damaged)?;
        let bytes = self.head.get(group.references.clone()).ok_or(damaged)?;
        if xxh3_64(bytes) != group.check {
            return Err(damaged);
        }
        Ok(References(bytes.as_chunks().0))
    }
}

impl GroupRanges {
    /// `references, their number, their checksum, pack, its length, lines, their length: 7 × u64`
    pub(crate) fn packed(&self) -> [u8; GROUP] {
        let mut bytes = [0; GROUP];
        let (references, pack, lines) = (&self.references, &self.pack, &self.lines);
        let numbers = [
            references.start as u64,
            (references.len() / REFERENCE) as u64,
            self.check,
            pack.start as u64,
            pack.len() as u64,
            lines.start as u64,
            lines.len() as u64,
        ];
        for (word, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *word = number.to_le_bytes();
        }
        bytes
    }

    fn unpacked(bytes: &[u8; GROUP]) -> Option<Self> {
        let number = |at: usize| usize::try_from(long(bytes, 8 * at)).ok();
        let range = |at: usize, size: usize| {
            let start = number(at)?;
            Some(start..start.checked_add(number(at + 1)?.checked_mul(size)?)?)
        };
        let (references, pack, lines) = (range(0, REFERENCE)?, range(3, 1)?, range(5, 1)?);
        Some(Self { references, check: long(bytes, 16), pack, lines })
    }
}
