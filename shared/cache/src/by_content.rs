//! Optimised code by the content of its function: what outlives an edit of its module.
//!
//! Receives functions that were optimised alone ([`record`]), with digests of what the optimiser could see of them
//! ([`autojit_bitcode::Digester`]); hands on a file of code for a module that has none, with those functions of it whose digests
//! are the same, and which others have run often ([`seed`]). One file for each source file's name and way to compile, `.ajf`,
//! the latest code first:
//!
//! ```text
//!   0  magic "AJSAME\0\0"               56  entries × 64: digest, digest of the lines: 16 bytes each,
//!   8  version: u32, entries: u32           name, its length, lines, their number: 4 × u32, bundle, its length: 2 × u64
//!  16  checksum: u64, of [24..bundles]      names, each with the numbers of its lines behind it, u32 each
//!  24  key: 32 bytes                        bundles (autojit_code::bundle), in which symbols have names
//! ```
//!
//! Lines that have moved since are noted beside the object that describes them ([`moved`]).
//!
//! The checksum is XXH3; bundles have their own.

use std::collections::{BTreeMap, BTreeSet};

use autojit_abi::{GENERATOR, inlined_often};
use autojit_bitcode::{BitcodeModule, Class, Digester, Lines, Place};
use autojit_code::moved::{Moved, digest_of_file};
use autojit_code::pack::{self, Key};
use autojit_code::{Symbol, Unit, bundle};
use autojit_store::Container;
use autojit_sys::Errno;
use xxhash_rust::xxh3::xxh3_64;

use crate::{Directory, Kind, key_of, local_functions, writer};

const MAGIC: [u8; 8] = *b"AJSAME\0\0";
/// The version of the format, and of what digests cover.
const VERSION: u32 = 3;
const CHECKED: usize = 24;
const HEADER: usize = 56;
const ENTRY: usize = 64;
/// Functions in one file.
const FUNCTIONS: usize = 16384;
/// Contents of functions with the same name: programs have source files of the same name.
const SAME_NAME: usize = 4;

/// The file's key: the source file's name, and all that code depends on beside the bitcode.
fn key_of_source(container: &Container<'_>, level: i32) -> Key {
    let built = container.opt_level();
    let mut text = Vec::new();
    for part in [&pack::VERSION.to_le_bytes(), &VERSION.to_le_bytes(), &GENERATOR[..], &level.to_le_bytes()] {
        text.extend_from_slice(part);
    }
    text.extend_from_slice(&[built.speed, built.size]);
    for part in [container.options(), container.source()] {
        text.extend_from_slice(&(part.len() as u64).to_le_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    autojit_store::digest(&[b"autojit same", &text])
}

/// A function of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Of what the optimiser could see of it.
    pub digest: u128,
    /// Of its lines but for their numbers.
    pub lines: u128,
    /// These, four bytes each.
    pub numbers: &'a [u8],
    /// Its name.
    pub name: &'a str,
    /// Its code, which has a checksum of its own.
    pub bundle: &'a [u8],
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The functions of a file. None if it is damaged, or not for `key`.
pub fn entries<'a>(bytes: &'a [u8], key: &Key) -> Option<Vec<Entry<'a>>> {
    let count = word(bytes, 12)? as usize;
    if !bytes.starts_with(&MAGIC) || word(bytes, 8)? != VERSION || bytes.get(CHECKED..HEADER)? != key {
        return None;
    }
    let table = bytes.get(HEADER..)?.get(..count.checked_mul(ENTRY)?)?;
    let long =
        |entry: &[u8], at: usize| usize::try_from(u64::from_le_bytes(*entry.get(at..)?.first_chunk()?)).ok();
    let part = |start: usize, len: usize| bytes.get(start..start.checked_add(len)?);
    let mut end = HEADER + table.len();
    let mut found = Vec::with_capacity(count);
    for entry in table.chunks_exact(ENTRY) {
        let digest = |at: usize| Some(u128::from_le_bytes(*entry.get(at..)?.first_chunk()?));
        let (start, len) = (word(entry, 32)? as usize, word(entry, 36)? as usize);
        let (numbers, count) = (word(entry, 40)? as usize, word(entry, 44)? as usize);
        let size = count.checked_mul(4)?;
        end = end.max(start.checked_add(len)?).max(numbers.checked_add(size)?);
        found.push(Entry {
            digest: digest(0)?,
            lines: digest(16)?,
            name: std::str::from_utf8(part(start, len)?).ok()?,
            numbers: part(numbers, size)?,
            bundle: part(long(entry, 48)?, long(entry, 56)?)?,
        });
    }
    let sum = xxh3_64(bytes.get(CHECKED..end)?).to_le_bytes();
    (bytes.get(16..CHECKED)? == sum).then_some(found)
}

/// The bytes of a file.
fn file(entries: &[Entry<'_>], key: &Key) -> Vec<u8> {
    let mut bytes =
        Vec::with_capacity(HEADER + entries.iter().map(|it| ENTRY + it.bundle.len()).sum::<usize>());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(key);
    let names = HEADER + ENTRY * entries.len();
    let mut name = names;
    let mut bundle =
        names + entries.iter().map(|entry| entry.name.len() + entry.numbers.len()).sum::<usize>();
    for entry in entries {
        bytes.extend_from_slice(&entry.digest.to_le_bytes());
        bytes.extend_from_slice(&entry.lines.to_le_bytes());
        bytes.extend_from_slice(&(name as u32).to_le_bytes());
        bytes.extend_from_slice(&(entry.name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&((name + entry.name.len()) as u32).to_le_bytes());
        bytes.extend_from_slice(&((entry.numbers.len() / 4) as u32).to_le_bytes());
        bytes.extend_from_slice(&(bundle as u64).to_le_bytes());
        bytes.extend_from_slice(&(entry.bundle.len() as u64).to_le_bytes());
        name += entry.name.len() + entry.numbers.len();
        bundle += entry.bundle.len();
    }
    for entry in entries {
        bytes.extend_from_slice(entry.name.as_bytes());
        bytes.extend_from_slice(entry.numbers);
    }
    let sum = xxh3_64(&bytes[CHECKED..]).to_le_bytes();
    bytes[16..CHECKED].copy_from_slice(&sum);
    entries.iter().for_each(|entry| bytes.extend_from_slice(entry.bundle));
    bytes
}

/// A module whose functions get digests.
struct Digests<'m> {
    digester: Digester<'m>,
    bodies: BTreeMap<&'m [u8], u32>,
}

impl<'m> Digests<'m> {
    /// None if the module has something of which there is no digest.
    fn new(module: &'m BitcodeModule<'m>, class: &'m dyn Fn(&[u8]) -> Class) -> Option<Self> {
        let globals = module.globals().iter().zip(0..);
        let bodies = globals.filter(|(_, number)| module.has_body(*number));
        let bodies = bodies.map(|(global, number)| (module.name(global), number)).collect();
        Some(Self { digester: Digester::new(module, class, inlined_often).ok()?, bodies })
    }

    fn code(&mut self, name: &str) -> Option<u128> {
        self.digester.of(*self.bodies.get(name.as_bytes())?).ok()
    }

    fn lines(&mut self, name: &str) -> Option<Lines<'m>> {
        self.digester.lines_of(*self.bodies.get(name.as_bytes())?).ok()
    }
}

/// What a container knows of a name.
fn class(container: &Container<'_>, name: &[u8]) -> Class {
    match std::str::from_utf8(name).ok().and_then(|name| container.find(name)) {
        None => Class::default(),
        Some(autojit_store::Symbol::Import(_)) => Class { kind: 1, opaque: false },
        Some(autojit_store::Symbol::Function(index)) => match container.function(index) {
            None => Class { kind: 2, opaque: true },
            Some(info) => Class { kind: 3 + info.kind as u8, opaque: info.interposable },
        },
    }
}

/// The function that a unit defines, if it is one.
fn root(unit: &Unit<'_>) -> Option<u32> {
    let mut globals = unit.functions.iter().filter(|function| function.global);
    match (globals.next()?.symbol, globals.next()) {
        (Symbol::Function(index), None) => Some(index),
        _ => None,
    }
}

/// Keeps units by the content of their functions. Each is of one function, which was optimised alone, with all that was worth
/// inlining, at `level` instead of the build's.
///
/// # Errors
/// The file cannot be written. What was there is still there.
pub fn record<'u>(
    directory: &Directory,
    container: &Container<'_>,
    level: i32,
    units: impl Iterator<Item = &'u Unit<'static>>,
) -> Result<(), Errno> {
    let key = key_of_source(container, level);
    let Ok(bitcode) = container.bitcode() else { return Ok(()) };
    let Ok(module) = BitcodeModule::parse(&bitcode) else { return Ok(()) };
    let class = |name: &[u8]| class(container, name);
    let Some(mut digests) = Digests::new(&module, &class) else { return Ok(()) };
    let name_of = |symbol: &Symbol<'static>| match symbol {
        Symbol::Name(name) => Some(name.to_string()),
        Symbol::Function(index) => Some(container.function(*index)?.name.to_owned()),
        Symbol::Import(index) => Some(container.import_name(*index)?.to_owned()),
    };
    let mut new: Vec<(u128, Lines<'_>, &str, Vec<u8>)> = Vec::new();
    for unit in units {
        let Some(name) = root(unit).and_then(|index| container.function(index)) else { continue };
        let name = name.name;
        let (Some(digest), Some(lines)) = (digests.code(name), digests.lines(name)) else { continue };
        let mut known = true;
        let renamed = unit.renamed(|symbol| {
            let name = name_of(&symbol);
            known &= name.is_some();
            Symbol::Name(name.unwrap_or_default().into())
        });
        let renamed = Unit { names: unit.names.clone(), ..renamed };
        if known {
            new.push((digest, lines, name, bundle::encode(&renamed, &key)));
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    let old = directory.read(&key, Kind::Same).ok();
    let old = old.as_ref().and_then(|bytes| entries(bytes, &key)).unwrap_or_default();
    let numbers: Vec<Vec<u8>> = (new.iter())
        .map(|(_, lines, ..)| {
            lines.places().flat_map(|place| &place.lines).flat_map(|line| line.to_le_bytes()).collect()
        })
        .collect();
    let new = new.iter().zip(&numbers).map(|((digest, lines, name, bundle), numbers)| Entry {
        digest: *digest,
        lines: lines.digest,
        numbers,
        name,
        bundle,
    });
    let (mut seen, mut names, mut left) = (BTreeSet::new(), BTreeMap::new(), directory.part_limit() as usize);
    let kept = new.chain(old).filter(|entry| {
        let count: &mut usize = names.entry(entry.name).or_default();
        let size = entry.bundle.len() + entry.name.len() + entry.numbers.len() + ENTRY;
        let fits = *count < SAME_NAME && size + HEADER <= left;
        if !fits || !seen.insert(entry.digest) {
            return false;
        }
        *count += 1;
        left -= size;
        true
    });
    let kept: Vec<_> = kept.take(FUNCTIONS).collect();
    directory.write_part(&key, Kind::Same, &file(&kept, &key))
}

/// How lines have moved that had these numbers before, four bytes each: none of them, or all are there. None if that cannot be
/// said, as two functions are from the same line, which has become two.
fn moved<'p, 'm: 'p>(now: impl Iterator<Item = &'p Place<'m>> + Clone, before: &[u8]) -> Option<Vec<Moved>> {
    let before = before.chunks_exact(4).map(|it| u32::from_le_bytes([it[0], it[1], it[2], it[3]]));
    let mut before: Vec<u32> = before.collect();
    if now.clone().flat_map(|place| &place.lines).eq(&before) {
        return Some(Vec::new());
    }
    let (mut all, mut last) = (Vec::new(), None);
    let mut next = before.drain(..);
    for place in now {
        let file = match last {
            Some((last, digest)) if last == place.file => digest,
            _ => digest_of_file(place.file.directory, place.file.name),
        };
        last = Some((place.file, file));
        for line in &place.lines {
            let before = next.next()?;
            let by = i32::try_from(i64::from(*line) - i64::from(before)).ok()?;
            all.push(Moved { file, first: before, last: before, by });
        }
    }
    all.sort_unstable_by_key(|it| (it.file, it.first));
    let mut merged: Vec<Moved> = Vec::new();
    for next in all {
        match merged.last_mut().filter(|last| last.file == next.file) {
            Some(last) if last.by == next.by => last.last = next.last,
            Some(last) if next.first == last.last => return None,
            _ => merged.push(next),
        }
    }
    Some(merged)
}

/// What is known of a module by the content of its functions.
#[derive(Debug, Default)]
pub struct Seeded {
    /// How many have code.
    pub found: u64,
    /// The functions of which only other contents have code: they have run often, too, and have changed.
    pub changed: Vec<u32>,
}

/// Makes the file of code of a module that has none, of functions with the same content.
///
/// # Errors
/// The file cannot be written.
pub fn seed(directory: &Directory, container: &Container<'_>, level: i32) -> Result<Seeded, Errno> {
    let key = key_of_source(container, level);
    let nothing = Seeded::default();
    let Ok(content) = directory.map(&key, Kind::Same) else { return Ok(nothing) };
    let Some(entries) = entries(&content, &key) else {
        directory.remove(&key, Kind::Same);
        return Ok(nothing);
    };
    let Ok(bitcode) = container.bitcode() else { return Ok(nothing) };
    let Ok(module) = BitcodeModule::parse(&bitcode) else { return Ok(nothing) };
    let class = |name: &[u8]| class(container, name);
    let Some(mut digests) = Digests::new(&module, &class) else { return Ok(nothing) };
    let (mut found, mut known) = (BTreeSet::new(), BTreeMap::new());
    let mut units = Vec::new();
    for entry in entries {
        if found.contains(entry.name) {
            continue;
        }
        let digest = *known.entry(entry.name).or_insert_with(|| digests.code(entry.name));
        if digest != Some(entry.digest) {
            continue;
        }
        let Ok(mut unit) = bundle::decode(entry.bundle, &key) else { continue };
        // Lines that do not correspond are not shown wrong, but not at all.
        if !unit.lines.is_empty() {
            let now = digests.lines(entry.name).filter(|now| now.digest == entry.lines);
            match now.and_then(|now| moved(now.places(), entry.numbers)) {
                Some(moved) => unit.lines.iter_mut().for_each(|lines| lines.moved.clone_from(&moved)),
                None => unit.lines.clear(),
            }
        }
        found.insert(entry.name);
        units.push(unit);
    }
    let changed = known.keys().filter(|name| !found.contains(*name)).filter_map(|name| container.find(name));
    let changed = changed.filter_map(|symbol| match symbol {
        autojit_store::Symbol::Function(index) => Some(index),
        autojit_store::Symbol::Import(_) => None,
    });
    let seeded = Seeded { found: 0, changed: changed.collect() };
    let number = |symbol: Symbol<'_>| match &symbol {
        Symbol::Name(name) => autojit_generator::number(container, name),
        Symbol::Function(_) | Symbol::Import(_) => None,
    };
    let units: Vec<Unit<'_>> = (units.iter())
        .map(|unit| {
            let numbered = unit.renamed(|symbol| number(symbol.clone()).unwrap_or(symbol));
            Unit { names: unit.names.clone(), ..numbered }
        })
        .filter(|unit| root(unit).is_some())
        .collect();
    if units.is_empty() {
        return Ok(seeded);
    }
    let local = units.iter().flat_map(|unit| local_functions(container, unit)).collect();
    let units: Vec<&Unit<'_>> = units.iter().collect();
    let found = writer::add(directory, &key_of(&GENERATOR, &container.key(), level), &units, &local)?;
    Ok(Seeded { found, ..seeded })
}

#[cfg(test)]
mod tests {
    use autojit_bitcode::File;

    use super::*;

    /// Where lines of a file were, for places of now (file, and numbers of now and before).
    fn moved_of(places: &[(&'static str, &[(u32, u32)])]) -> Option<Vec<(u32, u32, i32)>> {
        let now: Vec<_> = (places.iter())
            .map(|(name, lines)| Place {
                file: File { name: name.as_bytes(), directory: b"/src" },
                lines: lines.iter().map(|(now, _)| *now).collect(),
            })
            .collect();
        let before = places.iter().flat_map(|(_, lines)| lines.iter().flat_map(|(_, it)| it.to_le_bytes()));
        let moved = moved(now.iter(), &before.collect::<Vec<u8>>())?;
        let known = [digest_of_file(b"/", b"src/a.c"), digest_of_file(b"", b"/src/b.h")];
        assert!(moved.iter().all(|it| known.contains(&it.file)));
        let mut found: Vec<_> = moved.iter().map(|it| (it.first, it.last, it.by)).collect();
        found.sort_unstable();
        Some(found)
    }

    #[test]
    fn lines_move_alike_or_by_themselves() {
        assert_eq!(moved_of(&[("a.c", &[(10, 10), (20, 20)]), ("b.h", &[(3, 3)])]), Some(Vec::new()));
        // Those that move alike are one, but in different files.
        let alike: [(_, &[_]); 3] =
            [("a.c", &[(30, 28), (39, 37)]), ("b.h", &[(41, 39), (49, 47)]), ("a.c", &[(12, 10), (20, 18)])];
        assert_eq!(moved_of(&alike), Some(vec![(10, 37, 2), (39, 47, 2)]));
        // Within a function; two that are from the same line.
        let within: [(_, &[_]); 2] = [("a.c", &[(9, 7), (5, 4), (4, 3), (8, 6)]), ("a.c", &[(9, 7), (2, 5)])];
        assert_eq!(moved_of(&within), Some(vec![(3, 4, 1), (5, 5, -3), (6, 7, 2)]));
        // The same line, which has become two.
        assert_eq!(moved_of(&[("a.c", &[(9, 7), (5, 4)]), ("a.c", &[(10, 7)])]), None);
    }

    #[test]
    fn what_is_written_is_read() {
        let key = [7; 32];
        let all = [
            Entry {
                digest: 1 << 100,
                lines: 2,
                numbers: &[1, 0, 0, 0, 9, 8, 7, 6],
                name: "first",
                bundle: b"code",
            },
            Entry { digest: 3, lines: u128::MAX, numbers: b"", name: "", bundle: b"" },
            Entry { digest: 4, lines: 5, numbers: &[2; 4], name: "third", bundle: b"more code" },
        ];
        for count in 0..=all.len() {
            let bytes = file(&all[..count], &key);
            assert!(entries(&bytes, &key).expect("it is whole") == all[..count]);
            assert!(entries(&bytes, &[8; 32]).is_none());
            for end in 0..bytes.len() {
                assert!(entries(&bytes[..end], &key).is_none(), "{end}");
            }
            // Bundles have checksums of their own.
            let bundles: usize = all[..count].iter().map(|entry| entry.bundle.len()).sum();
            for at in 0..bytes.len() - bundles {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x10;
                assert!(entries(&bytes, &key).is_none(), "{at}");
            }
        }
    }
}
