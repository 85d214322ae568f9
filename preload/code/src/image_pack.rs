//! Image packs: what a program has needed of many modules of one image, in the bytes of one cache file.
//!
//! The code is in *groups*: units that several modules have in common, each as a [`pack`] of its own. Numbers of functions
//! and imports in a group lead into its table of [`Reference`]s, which say of which module they are. Modules are known by
//! their keys: what a group has of one that has changed is left alone, the rest is used. docs/cache-format.md draws the file.
//!
//! ```text
//!   0  magic "AJIMAGE\0"                 modules × 40: key: 32 bytes, place in the image, first function: 2 × u32
//!   8  version: u32, 0: u32             functions × 8: index, group: 2 × u32
//!  16  checksum: u64, of [24..]         groups × 56 (Group::packed)
//!  24  key: 32 bytes                    references × 20 (Reference::packed), group by group
//!  56  modules, functions, groups: 3 × u32, 0
//!  72  length: u64                      from here on at multiples of 4096: the packs; behind them their lines
//! ```
//!
//! The first checksum covers what is in front of the references; each group has one of its references.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::arena::PAGE;
use crate::pack::{self, Key, PackError, VERSION};
use crate::unit::{Symbol, Unit};

const MAGIC: [u8; 8] = *b"AJIMAGE\0";
const CHECKED: usize = 24;
const NUMBERS: usize = 56;
const HEADER: usize = 80;
const MODULE: usize = 40;
const FUNCTION: usize = 8;
const GROUP: usize = 56;
const REFERENCE: usize = 20;

/// What stands for no number.
pub const NONE: u32 = u32::MAX;

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
    /// Its module: a number of the file's table, [`NONE`] if that is gone. For [`encode`]: its place in the image.
    pub module: u32,
    /// Its index in the module's functions or imports.
    pub index: u32,
    /// Of a function with a stub: its import, else [`NONE`]. Of an import: the number of the function in the group that
    /// it leads to, else [`NONE`].
    pub other: u32,
    /// Of a function with a stub: which slot of the image is its own, unless the image was linked anew; else [`NONE`].
    pub slot: u32,
    /// What it is.
    pub kind: ReferenceKind,
}

impl Reference {
    fn packed(&self) -> [u8; REFERENCE] {
        let mut bytes = [0; REFERENCE];
        let numbers = [self.module, self.index, self.other, self.slot, self.kind as u32];
        for (word, number) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
            *word = number.to_le_bytes();
        }
        bytes
    }

    fn unpacked(bytes: &[u8; REFERENCE]) -> Option<Self> {
        let kind = match word(bytes, 16) {
            0 => ReferenceKind::Local,
            1 => ReferenceKind::Inline,
            2 => ReferenceKind::Stub,
            3 => ReferenceKind::Import,
            _ => return None,
        };
        let [module, index, other, slot] = [0, 4, 8, 12].map(|at| word(bytes, at));
        Some(Self { module, index, other, slot, kind })
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
pub struct Place {
    references: Range<usize>,
    check: u64,
    /// Its pack.
    pub pack: Range<usize>,
    /// The lines of that; empty if it has none.
    pub lines: Range<usize>,
}

/// The index of an image pack.
#[derive(Debug)]
pub struct Index<'a> {
    /// Everything in front of the packs.
    head: &'a [u8],
    modules: &'a [[u8; MODULE]],
    functions: &'a [[u8; FUNCTION]],
    /// The groups.
    pub groups: Vec<Place>,
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
        let groups: Vec<Place> = groups.iter().map(Place::unpacked).collect::<Option<_>>()?;
        // References, packs and lines follow one another, so that each can be had by itself.
        let ranges = |part: fn(&Place) -> &Range<usize>| groups.iter().map(part);
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
        let index = Self { head, modules: modules.as_chunks().0, functions: functions.as_chunks().0, groups };
        let firsts = || index.modules.iter().map(|module| word(module, 36) as usize);
        let places = index.modules.iter().map(|module| word(module, 32));
        let good = firsts().is_sorted()
            && firsts().all(|first| first <= index.functions.len())
            && places.is_sorted_by(|a, b| a < b)
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

    /// The key of a module, and its place in the image that the file was written for.
    pub fn module(&self, number: u32) -> Option<(&'a Key, u32)> {
        let module = self.modules.get(number as usize)?;
        Some((module.first_chunk().expect("it is longer"), word(module, 32)))
    }

    /// The module that was at this place.
    pub fn module_at(&self, place: u32) -> Option<u32> {
        let number = self.modules.binary_search_by_key(&place, |module| word(module, 32)).ok()?;
        Some(number as u32)
    }

    /// The group with a function of a module.
    pub fn group_of(&self, module: u32, function: u32) -> Option<usize> {
        let functions = self.functions_of(module)?;
        let found = functions.binary_search_by_key(&function, |entry| word(entry, 0)).ok()?;
        Some(word(&functions[found], 4) as usize)
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

impl Place {
    /// `references, their number, their checksum, pack, its length, lines, their length: 7 × u64`
    fn packed(&self) -> [u8; GROUP] {
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

/// A group to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// What its numbers stand for.
    pub references: Vec<Reference>,
    /// Its pack.
    pub pack: Cow<'a, [u8]>,
    /// The lines of that, or nothing.
    pub lines: Cow<'a, [u8]>,
}

/// What a group needs to know of an image. Modules are known by their place in it.
pub trait Facts {
    /// What is known of function `index` of `module`.
    fn function(&self, module: u32, index: u32) -> Option<Reference>;
    /// The function of the image, as module and index, that an import leads to, if it is one.
    fn target(&self, module: u32, import: u32) -> Option<(u32, u32)>;
}

/// The numbers of a group in the making.
struct Numbers<'f> {
    facts: &'f dyn Facts,
    all: Vec<Reference>,
    functions: BTreeMap<(u32, u32), u32>,
    imports: BTreeMap<(u32, u32), u32>,
}

impl Numbers<'_> {
    fn function(&mut self, module: u32, index: u32) -> u32 {
        let next = self.all.len() as u32;
        let number = *self.functions.entry((module, index)).or_insert(next);
        if number == next {
            let unknown =
                Reference { module: NONE, index, other: NONE, slot: NONE, kind: ReferenceKind::Local };
            self.all.push(self.facts.function(module, index).unwrap_or(unknown));
        }
        number
    }

    fn import(&mut self, module: u32, index: u32) -> u32 {
        let next = self.all.len() as u32;
        let number = *self.imports.entry((module, index)).or_insert(next);
        if number == next {
            let kind = ReferenceKind::Import;
            self.all.push(Reference { module, index, other: NONE, slot: NONE, kind });
        }
        number
    }

    /// Once all functions have their numbers: where imports lead.
    fn find_targets(&mut self) {
        for reference in self.all.iter_mut().filter(|it| it.kind == ReferenceKind::Import) {
            let target = self.facts.target(reference.module, reference.index);
            reference.other = target.and_then(|target| self.functions.get(&target).copied()).unwrap_or(NONE);
        }
    }
}

impl Group<'static> {
    /// The group of these units, each of the module at a place in the image, in a file for `key`. None if they are too
    /// large to be one.
    pub fn of(units: &[(u32, &Unit<'_>)], facts: &dyn Facts, key: &Key) -> Option<Self> {
        let (functions, imports) = (BTreeMap::new(), BTreeMap::new());
        let numbers = std::cell::RefCell::new(Numbers { facts, all: Vec::new(), functions, imports });
        let renumbered = units.iter().map(|(module, unit)| {
            unit.renumbered(
                |index| numbers.borrow_mut().function(*module, index),
                |index| numbers.borrow_mut().import(*module, index),
            )
        });
        let renumbered: Vec<_> = renumbered.collect();
        let mut numbers = numbers.into_inner();
        numbers.find_targets();
        let all = numbers.all;
        let is_local = |number: u32| all[number as usize].kind == ReferenceKind::Local;
        let target = |number: u32| Some(all[number as usize].other).filter(|target| *target != NONE);
        let units: Vec<_> = renumbered.iter().collect();
        let merged = Unit::merge_modules(&units, is_local, target)?;
        let pack = pack::encode(&merged, key);
        let lines = pack::generation(&pack).map(|it| pack::encode_lines(&merged.lines, key, it));
        Some(Self { pack: pack.into(), lines: lines.unwrap_or_default().into(), references: all })
    }
}

impl Group<'_> {
    /// The functions that it defines for others: module and index.
    ///
    /// # Errors
    /// Its pack is damaged.
    pub fn functions(&self, key: &Key) -> Result<Vec<(u32, u32)>, PackError> {
        let unit = pack::decode(&self.pack, key)?;
        let functions = unit.functions.iter().filter(|function| function.global);
        let reference = |function: crate::unit::Function<'_>| match function.symbol {
            Symbol::Function(number) => self.references.get(number as usize),
            _ => None,
        };
        let known = functions.filter_map(reference).filter(|reference| reference.module != NONE);
        Ok(known.map(|reference| (reference.module, reference.index)).collect())
    }
}

/// The image pack for `key` of these groups, of which the last that has a function counts. `key_at` gives the key of the
/// module at a place in the image.
///
/// # Errors
/// A pack is damaged.
pub fn encode(groups: &[Group<'_>], key_at: impl Fn(u32) -> Key, key: &Key) -> Result<Vec<u8>, PackError> {
    let mut functions: BTreeMap<(u32, u32), u32> = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        functions.extend(group.functions(key)?.into_iter().map(|function| (function, number as u32)));
    }
    let mut numbers: BTreeMap<u32, u32> = BTreeMap::new();
    for module in groups.iter().flat_map(|group| &group.references).map(|reference| reference.module) {
        numbers.insert(module, 0);
    }
    numbers.remove(&NONE);
    numbers.values_mut().zip(0..).for_each(|(number, next)| *number = next);

    let mut index = Vec::new();
    index.extend_from_slice(key);
    for number in [numbers.len(), functions.len(), groups.len(), 0] {
        index.extend_from_slice(&(number as u32).to_le_bytes());
    }
    // The length, when it is known.
    index.extend_from_slice(&[0; 8]);
    let (mut rest, mut first) = (functions.keys().peekable(), 0u32);
    for place in numbers.keys() {
        while rest.next_if(|(module, _)| module < place).is_some() {
            first += 1;
        }
        index.extend_from_slice(&key_at(*place));
        index.extend_from_slice(&place.to_le_bytes());
        index.extend_from_slice(&first.to_le_bytes());
    }
    for ((_, function), group) in &functions {
        index.extend_from_slice(&function.to_le_bytes());
        index.extend_from_slice(&group.to_le_bytes());
    }
    let (mut references, mut places) = (Vec::new(), Vec::new());
    let first = CHECKED + index.len() + groups.len() * GROUP;
    for group in groups {
        let start = references.len();
        for reference in &group.references {
            let module = numbers.get(&reference.module).copied().unwrap_or(NONE);
            references.extend_from_slice(&Reference { module, ..*reference }.packed());
        }
        let check = xxh3_64(&references[start..]);
        let references = first + start..first + references.len();
        places.push(Place { references, check, pack: 0..0, lines: 0..0 });
    }
    let mut at = first + references.len();
    for (place, group) in places.iter_mut().zip(groups) {
        at = at.next_multiple_of(PAGE);
        place.pack = at..at + group.pack.len();
        at = place.pack.end;
    }
    for (place, group) in places.iter_mut().zip(groups) {
        at = at.next_multiple_of(8);
        place.lines = at..at + group.lines.len();
        at = place.lines.end;
    }
    index[HEADER - CHECKED - 8..HEADER - CHECKED].copy_from_slice(&(at as u64).to_le_bytes());
    places.iter().for_each(|place| index.extend_from_slice(&place.packed()));

    let mut out = Vec::with_capacity(at);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&xxh3_64(&index).to_le_bytes());
    out.extend_from_slice(&index);
    debug_assert_eq!(out.len(), first);
    out.extend_from_slice(&references);
    for (place, group) in places.iter().zip(groups) {
        out.resize(place.pack.start, 0);
        out.extend_from_slice(&group.pack);
    }
    for (place, group) in places.iter().zip(groups) {
        out.resize(place.lines.start, 0);
        out.extend_from_slice(&group.lines);
    }
    Ok(out)
}

/// The groups of an image pack, to be written again: without those of which less than half would still be of use.
/// `place_now` gives the place in the image of a module by its number in `index`, None if it is gone; `covered` says which
/// functions, by place and index, newer code replaces; `slot_now` which slot a function has.
pub fn still_useful<'a>(
    bytes: &'a [u8],
    index: &Index<'a>,
    key: &Key,
    place_now: impl Fn(u32) -> Option<u32>,
    covered: impl Fn(u32, u32) -> bool,
    slot_now: impl Fn(u32, u32) -> Option<u32>,
) -> Vec<Group<'a>> {
    let group = |number: usize| {
        let place = &index.groups[number];
        let references = index.references(number).ok()?;
        let references = (0..references.len() as u32).map(|number| {
            let reference = references.get(number)?;
            let module = place_now(reference.module).unwrap_or(NONE);
            let is_stub = module != NONE && reference.kind == ReferenceKind::Stub;
            let slot = if is_stub { slot_now(module, reference.index) } else { None };
            Some(Reference { module, slot: slot.unwrap_or(NONE), ..reference })
        });
        let (pack, lines) = (&bytes[place.pack.clone()], &bytes[place.lines.clone()]);
        let group =
            Group { references: references.collect::<Option<_>>()?, pack: pack.into(), lines: lines.into() };
        let unit = pack::decode(pack, key).ok()?;
        let all = unit.functions.iter().filter(|function| function.global).count();
        let functions = group.functions(key).ok()?;
        let useful = functions.iter().filter(|(module, index)| !covered(*module, *index)).count();
        (2 * useful > all).then_some(group)
    };
    (0..index.groups.len()).filter_map(group).collect()
}
