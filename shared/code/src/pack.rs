//! A unit as the bytes of a cache file, and back.
//!
//! All numbers are little endian, tables and segments follow one another without gaps. docs/cache-format.md draws it.
//!
//! ```text
//!   0  magic "AJCODE\0\0"               externals × 16: symbol, its length, own: u32, kind, usage, weak, 0
//!   8  version: u32, 0: u32             GOT × 8:: number: u32, source: u8, 0
//!  16  checksum: u64, of [24..]         groups of fixups × 12, their sites × 4 (fixups.rs)
//!  24  key: 32 bytes                    functions × 28: symbol, its length, offset, size, counters: 2 × u32, kind, global, 0
//!  56  lengths of the segments: 4 × u32   frame index × 12 (eh_frame.rs)
//!  72  their alignments: 4 × u32        strings
//!  88  numbers of externals, got,     text, rodata, data, frames
//!      groups, sites, functions,       zeros up to a page
//!      bytes of strings: 6 × u32        description (description.rs)
//! 112  1 if there are lines: u32
//! 116  numbers of the frame index, bytes of the description: 2 × u32
//! ```
//!
//! The checksum (XXH3) is against accidents, and covers every byte but the first 24 and those behind the segments: the
//! description is read on demand, and says nothing that code relies on. Malice is the business of owners
//! and permissions of files.

use std::borrow::Cow;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::arena::PAGE;
use crate::description::{self, Description};
use crate::eh_frame::{self, ENTRY, Entry};
use crate::fixups::{GROUP, SITE};
use crate::moved::Moved;
use crate::table::Record;
use crate::unit::{
    CountersAt, External, Fixups, Lines, Segment, Source, Symbol, Table, Unit, UnitFunction, Usage,
};

/// The version of the format, of what the code in it may rely on, and of what the linker makes of an object: raised when
/// the same object gives other bytes (tests/packs.rs compares).
pub const VERSION: u32 = 12;

/// What a pack is for; it must be asked for with the same.
pub type Key = [u8; 32];

/// A key made of `text`: XXH3 with four seeds, which does not resist attacks. It is for texts that no attacker chooses.
pub fn hash(text: &[u8]) -> Key {
    let mut key = Key::default();
    for (seed, word) in (0..).zip(key.chunks_exact_mut(8)) {
        word.copy_from_slice(&xxh3_64_with_seed(text, seed).to_le_bytes());
    }
    key
}

const MAGIC: [u8; 8] = *b"AJCODE\0\0";
const CHECKED: usize = 24;
const LENGTHS: usize = 56;
const LINES: usize = 112;
const HEADER: usize = 124;
const GOT_ENTRY: usize = 8;
/// What stands for no definition of an external's own, and for no counters.
const NONE: u32 = u32::MAX;

/// How much of a pack was made with it, in bytes: all but the description and what is in front of that. None if it
/// cannot be told.
pub fn code_len(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER)?;
    let number = |index: usize| word(header, LENGTHS + 4 * index) as usize;
    let tables = [
        (8, External::SIZE),
        (9, GOT_ENTRY),
        (10, GROUP),
        (11, SITE),
        (12, UnitFunction::SIZE),
        (15, ENTRY),
        (13, 1),
    ];
    let tables = tables.map(|(index, size)| (number(index), size));
    let segments = [0, 1, 2, 3].map(|index| (number(index), 1));
    let lens = tables.into_iter().chain(segments).map(|(count, size)| count.checked_mul(size));
    let len = lens.into_iter().try_fold(HEADER, |sum, len| sum.checked_add(len?))?;
    (len <= bytes.len()).then_some(len)
}

/// Where the description of a pack begins, whose code ends at `code`. None if there is none of the right size.
fn description_at(bytes: &[u8], code: usize) -> Option<usize> {
    let at = code.checked_next_multiple_of(PAGE)?;
    (at.checked_add(word(bytes, HEADER - 4) as usize)? == bytes.len()).then_some(at)
}

/// Where the description of a pack begins, of which nothing else is looked at.
pub fn description_start(bytes: &[u8]) -> Option<usize> {
    description_at(bytes, code_len(bytes)?)
}

/// How many functions a pack has; likewise.
pub fn function_count(bytes: &[u8]) -> usize {
    bytes.get(..HEADER).map_or(0, |header| word(header, LENGTHS + 4 * 12) as usize)
}

/// The functions of a pack; likewise. Those that have names are left out.
pub fn functions(bytes: &[u8]) -> Option<Table<'_, UnitFunction<'_>>> {
    let header = bytes.get(..HEADER)?;
    let number = |index: usize| word(header, LENGTHS + 4 * index) as usize;
    let before = [(8, External::SIZE), (9, GOT_ENTRY), (10, GROUP), (11, SITE)];
    let start = before.into_iter().try_fold(HEADER, |sum, (index, size)| {
        number(index).checked_mul(size).and_then(|len| sum.checked_add(len))
    })?;
    let entries = bytes.get(start..)?.get(..number(12).checked_mul(UnitFunction::SIZE)?)?;
    Some(Table::unchecked(entries, ""))
}

/// Why bytes are not a usable pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackError {
    /// They are no pack.
    Foreign,
    /// They are a pack of this other version.
    Version(u32),
    /// They were cut or altered: what is wrong.
    Damaged(&'static str),
    /// They are a pack for another key.
    Key,
}

impl std::fmt::Display for PackError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Foreign => write!(f, "it is no cache file of autojit"),
            Self::Version(found) => write!(f, "it has version {found}, this autojit reads version {VERSION}"),
            Self::Damaged(what) => write!(f, "it is damaged: {what}"),
            Self::Key => write!(f, "it holds other code than its name says"),
        }
    }
}

impl std::error::Error for PackError {}

/// Appends numbers.
fn words<const N: usize>(out: &mut Vec<u8>, words: [usize; N]) {
    // What does not fit was refused by merge, which is where units for packs come from.
    words.iter().for_each(|word| out.extend_from_slice(&(*word as u32).to_le_bytes()));
}

/// The strings of a pack in the making.
#[derive(Default)]
struct Strings(Vec<u8>);

impl Strings {
    /// A symbol as two words and a kind.
    fn symbol(&mut self, symbol: &Symbol<'_>) -> ([usize; 2], u8) {
        match symbol {
            Symbol::Name(name) => {
                let start = self.0.len();
                self.0.extend_from_slice(name.as_bytes());
                ([start, name.len()], 0)
            }
            Symbol::Function(index) => ([*index as usize, 0], 1),
            Symbol::Import(index) => ([*index as usize, 0], 2),
        }
    }
}

/// The bytes of `unit`, for `key`.
pub fn encode(unit: &Unit<'_>, key: &Key) -> Vec<u8> {
    let frames = description::frames(unit);
    let code = 0..unit.segments[Segment::Text as usize].len();
    // What was linked has good frames.
    let entries = eh_frame::index(&frames, description::FRAMES_AT, &code).unwrap_or_default();
    let description = description::encode(unit, &frames);
    let (groups, sites) = (unit.fixups.groups.len() / GROUP, unit.fixups.sites.len() / SITE);
    let tables = [
        (unit.externals.len(), External::SIZE),
        (unit.got.len(), GOT_ENTRY),
        (groups, GROUP),
        (sites, SITE),
        (unit.functions.len(), UnitFunction::SIZE),
        (entries.len(), ENTRY),
    ];
    let tables: usize = tables.iter().map(|(count, size)| count * size).sum();
    let segments: usize = unit.segments.iter().map(|segment| segment.len()).sum();
    // Names are short, and few.
    let mut out = Vec::with_capacity(HEADER + tables + segments + 2 * PAGE + description.len());
    // The header comes when the length of the strings is known.
    out.resize(HEADER, 0);
    let mut strings = Strings::default();
    for External { symbol, usage, weak, own } in unit.externals.iter() {
        let ([start, len], kind) = strings.symbol(&symbol);
        words(&mut out, [start, len, own.unwrap_or(NONE) as usize]);
        out.extend_from_slice(&[kind, usage as u8, u8::from(weak), 0]);
    }
    for entry in &unit.got {
        let (kind, number) = entry.packed();
        words(&mut out, [number as usize]);
        out.extend_from_slice(&[kind, 0, 0, 0]);
    }
    out.extend_from_slice(&unit.fixups.groups);
    out.extend_from_slice(&unit.fixups.sites);
    for UnitFunction { symbol, offset, size, global, counters } in unit.functions.iter() {
        let ([start, len], kind) = strings.symbol(&symbol);
        let CountersAt { offset: counters, count } =
            counters.unwrap_or(CountersAt { offset: NONE, count: 0 });
        words(&mut out, [start, len, offset as usize, size as usize, counters as usize, count as usize]);
        out.extend_from_slice(&[kind, u8::from(global), 0, 0]);
    }
    for fde in &entries {
        out.extend_from_slice(&Entry::of(fde, 0, description::FRAMES_AT).packed());
    }
    debug_assert_eq!(out.len(), HEADER + tables);
    out.extend_from_slice(&strings.0);
    unit.segments.iter().for_each(|segment| out.extend_from_slice(segment));

    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC);
    words(&mut header, [VERSION as usize, 0, 0, 0]);
    header.extend_from_slice(key);
    words(&mut header, [0, 1, 2, 3].map(|segment| unit.segments[segment].len()));
    words(&mut header, unit.aligns.map(|align| align as usize));
    words(&mut header, [unit.externals.len(), unit.got.len(), groups, sites]);
    words(&mut header, [unit.functions.len(), strings.0.len()]);
    words(&mut header, [usize::from(!unit.lines.is_empty()), entries.len(), description.len()]);
    out[..HEADER].copy_from_slice(&header);
    let checksum = xxh3_64(&out[CHECKED..]);
    out[16..CHECKED].copy_from_slice(&checksum.to_le_bytes());
    out.resize(out.len().next_multiple_of(PAGE), 0);
    out.extend_from_slice(&description);
    out
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

/// The unit in `bytes`, if they are an undamaged pack for `key`. The description is not read.
///
/// # Errors
/// They are not, and nothing of them may be used.
pub fn decode<'a>(bytes: &'a [u8], key: &Key) -> Result<Unit<'a>, PackError> {
    check(bytes, key)?;
    decode_whole(bytes)
}

fn decode_whole(bytes: &[u8]) -> Result<Unit<'_>, PackError> {
    let unit = decode_checked(bytes)?;
    let externals = 0..unit.externals.len();
    if !externals.into_iter().all(|number| unit.externals.get(number).is_some()) {
        return Err(PackError::Damaged("a symbol of no kind"));
    }
    unit.check().map_err(PackError::Damaged)?;
    Ok(unit)
}

/// Where the description begins in `bytes`, which must be an undamaged pack for `key`, as far as there are checksums.
///
/// # Errors
/// They are not.
pub fn check(bytes: &[u8], key: &Key) -> Result<usize, PackError> {
    check_code(bytes, key)?;
    description_start(bytes).ok_or(PackError::Damaged("it ends before its names do"))
}

/// The same without a description: that may be missing.
///
/// # Errors
/// As above.
pub fn check_code(bytes: &[u8], key: &Key) -> Result<(), PackError> {
    if !bytes.starts_with(&MAGIC) {
        return Err(PackError::Foreign);
    }
    if bytes.len() < HEADER {
        return Err(PackError::Damaged("it ends within its header"));
    }
    if word(bytes, 8) != VERSION {
        return Err(PackError::Version(word(bytes, 8)));
    }
    let code = code_len(bytes).ok_or(PackError::Damaged("it ends before its code does"))?;
    let bytes = &bytes[..code];
    if xxh3_64(&bytes[CHECKED..]).to_le_bytes() != bytes[16..CHECKED] || word(bytes, 12) != 0 {
        return Err(PackError::Damaged("its checksum is another"));
    }
    if bytes[CHECKED..LENGTHS] != *key {
        return Err(PackError::Key);
    }
    Ok(())
}

/// The unit in `bytes`, which have passed [`check`], with or without the description. Fixups and externals are checked
/// when it is linked.
///
/// # Errors
/// They contradict themselves.
pub fn decode_checked(bytes: &[u8]) -> Result<Unit<'_>, PackError> {
    let code = code_len(bytes).and_then(|len| bytes.get(..len));
    let unit = code.and_then(read).ok_or(PackError::Damaged("its tables contradict one another"))?;
    unit.check_rest().map_err(PackError::Damaged)?;
    Ok(unit)
}

/// As [`decode`], with the names.
///
/// # Errors
/// As above, or the description is damaged.
pub fn decode_named<'a>(bytes: &'a [u8], key: &Key) -> Result<Unit<'a>, PackError> {
    let description = check(bytes, key)?;
    let mut unit = decode_whole(bytes)?;
    let names = Description::names(&bytes[description..], unit.functions.len());
    let names = names.ok_or(PackError::Damaged("its description is of other code"))?;
    unit.names = names.into_iter().map(Cow::Owned).collect();
    Ok(unit)
}

fn read(bytes: &[u8]) -> Option<Unit<'_>> {
    let number = |index: usize| word(bytes, LENGTHS + 4 * index) as usize;
    let mut rest = bytes.get(HEADER..)?;
    let mut table = |count: usize, size: usize| {
        let (table, behind) = rest.split_at_checked(count.checked_mul(size)?)?;
        rest = behind;
        Some(table)
    };
    let externals = table(number(8), External::SIZE)?;
    let got = table(number(9), GOT_ENTRY)?;
    let groups = table(number(10), GROUP)?;
    let sites = table(number(11), SITE)?;
    let functions = table(number(12), UnitFunction::SIZE)?;
    let frame_index = table(number(15), ENTRY)?;
    let strings = std::str::from_utf8(table(number(13), 1)?).ok()?;
    let segments = [table(number(0), 1)?, table(number(1), 1)?, table(number(2), 1)?, table(number(3), 1)?];
    if !rest.is_empty() || number(14) > 1 {
        return None;
    }
    let source = |entry: &[u8; GOT_ENTRY]| Source::unpacked(entry[4], word(entry, 0));
    Some(Unit {
        segments: segments.map(Cow::Borrowed),
        aligns: [number(4) as u32, number(5) as u32, number(6) as u32, number(7) as u32],
        externals: Table::unchecked(externals, strings),
        got: got.as_chunks().0.iter().map(source).collect::<Option<_>>()?,
        fixups: Fixups { groups: Cow::Borrowed(groups), sites: Cow::Borrowed(sites) },
        functions: Table::packed(functions, strings, |function: &UnitFunction<'_>| {
            function.is_within(number(0), number(2))
        })?,
        names: Vec::new(),
        frame_index: Cow::Borrowed(frame_index),
        sections: Vec::new(),
        lines: Vec::new(),
    })
}

/// What [`Strings::symbol`] gave.
#[inline]
fn symbol<'a>(kind: u8, start: u32, len: u32, strings: &'a str) -> Option<Symbol<'a>> {
    Some(match kind {
        0 => {
            let end = (start as usize).checked_add(len as usize)?;
            Symbol::Name(Cow::Borrowed(strings.get(start as usize..end)?))
        }
        1 => Symbol::Function(start),
        2 => Symbol::Import(start),
        _ => return None,
    })
}

fn flag(byte: u8) -> Option<bool> {
    (byte < 2).then_some(byte == 1)
}

impl<'a> Record<'a> for External<'a> {
    const SIZE: usize = 16;

    fn unpacked(bytes: &[u8], strings: &'a str) -> Option<Self> {
        let entry: &[u8; 16] = bytes.first_chunk()?;
        let usage = if flag(entry[13])? { Usage::Address } else { Usage::Call };
        let (words, _) = entry.as_chunks::<4>();
        let word = |at: usize| u32::from_le_bytes(words[at]);
        let symbol = symbol(entry[12], word(0), word(1), strings)?;
        let own = word(2);
        Some(Self { symbol, usage, weak: flag(entry[14])?, own: (own != NONE).then_some(own) })
    }
}

impl<'a> Record<'a> for UnitFunction<'a> {
    const SIZE: usize = 28;

    fn unpacked(bytes: &[u8], strings: &'a str) -> Option<Self> {
        let entry: &[u8; 28] = bytes.first_chunk()?;
        let (words, _) = entry.as_chunks::<4>();
        let word = |at: usize| u32::from_le_bytes(words[at]);
        let symbol = symbol(entry[24], word(0), word(1), strings)?;
        let counters = match (word(4), word(5)) {
            (NONE, 0) => None,
            (offset, count) => Some(CountersAt { offset, count }),
        };
        Some(Self { symbol, offset: word(2), size: word(3), global: flag(entry[25])?, counters })
    }
}

/// What begins the lines of a pack, a file of its own, which is not read until lines are asked for.
///
/// ```text
///   0  magic "AJLINES\0"                 numbers of objects: u32, 0: u32
///   8  version: u32, 0: u32             for each: bytes, sections, lines that have moved: 3 × u32,
///  16  checksum: u64, of [24..]             sections × (index, offset, segment: 3 × u32)
///  24  key: 32 bytes                        lines × (file: 2 × u32, first, last, by: 3 × u32)
///  56  checksum of the pack: u64        the objects
/// ```
const LINES_MAGIC: [u8; 8] = *b"AJLINES\0";
const LINES_HEADER: usize = 72;

/// What tells a pack from others for the same key: its lines are for it alone. None if it has none.
pub fn generation(pack: &[u8]) -> Option<u64> {
    let lines = word(pack.get(..HEADER)?, LINES) != 0;
    lines.then(|| u64::from_le_bytes(pack[16..CHECKED].try_into().expect("8 bytes")))
}

/// Whether `bytes` begin as the lines of the pack for `key` of that generation do. Looks at nothing but the header.
pub fn are_lines_of(bytes: &[u8], key: &Key, generation: u64) -> bool {
    bytes.len() >= LINES_HEADER
        && bytes.starts_with(&LINES_MAGIC)
        && bytes[8..16] == u64::from(VERSION).to_le_bytes()
        && bytes[CHECKED..LENGTHS] == *key
        && bytes[LENGTHS..LENGTHS + 8] == generation.to_le_bytes()
}

/// The lines of the pack of that generation.
pub fn encode_lines(lines: &[Lines<'_>], key: &Key, generation: u64) -> Vec<u8> {
    let len =
        |lines: &Lines<'_>| 12 + 12 * lines.sections.len() + 20 * lines.moved.len() + lines.object.len();
    let mut out = Vec::with_capacity(LINES_HEADER + lines.iter().map(len).sum::<usize>());
    out.extend_from_slice(&LINES_MAGIC);
    words(&mut out, [VERSION as usize, 0, 0, 0]);
    out.extend_from_slice(key);
    out.extend_from_slice(&generation.to_le_bytes());
    words(&mut out, [lines.len(), 0]);
    debug_assert_eq!(out.len(), LINES_HEADER);
    for Lines { object, sections, moved } in lines {
        words(&mut out, [object.len(), sections.len(), moved.len()]);
        for (index, segment, offset) in sections {
            words(&mut out, [*index as usize, *offset as usize, *segment as usize]);
        }
        for Moved { file, first, last, by } in moved {
            out.extend_from_slice(&file.to_le_bytes());
            [*first, *last, by.cast_unsigned()]
                .iter()
                .for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        }
    }
    lines.iter().for_each(|lines| out.extend_from_slice(&lines.object));
    let checksum = xxh3_64(&out[CHECKED..]);
    out[16..CHECKED].copy_from_slice(&checksum.to_le_bytes());
    out
}

/// The lines of the pack for `key` of that generation, if `bytes` are those, undamaged.
pub fn decode_lines<'a>(bytes: &'a [u8], key: &Key, generation: u64) -> Option<Vec<Lines<'a>>> {
    if !are_lines_of(bytes, key, generation) || bytes[16..CHECKED] != xxh3_64(&bytes[CHECKED..]).to_le_bytes()
    {
        return None;
    }
    let mut rest = &bytes[LINES_HEADER..];
    let mut next = || {
        let (first, behind) = rest.split_at_checked(4)?;
        rest = behind;
        Some(word(first, 0))
    };
    let mut all = Vec::new();
    for _ in 0..word(bytes, 64) {
        let (len, count, lines) = (next()?, next()?, next()?);
        let mut sections = Vec::new();
        for _ in 0..count {
            let (index, offset, segment) = (next()?, next()?, next()?);
            sections.push((index, *Segment::ALL.get(segment as usize)?, offset));
        }
        let mut moved = Vec::new();
        for _ in 0..lines {
            let file = u64::from(next()?) | u64::from(next()?) << 32;
            moved.push(Moved { file, first: next()?, last: next()?, by: next()?.cast_signed() });
        }
        all.push((len as usize, sections, moved));
    }
    let lines = all.into_iter().map(|(len, sections, moved)| {
        let (object, behind) = rest.split_at_checked(len)?;
        rest = behind;
        Some(Lines { object: Cow::Borrowed(object), sections, moved })
    });
    lines.collect()
}
