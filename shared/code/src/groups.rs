//! Image packs in the making: units of several modules become a group, groups a file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use crate::arena::PAGE;
use crate::image_pack::{
    ABSENT, CHECKED, ELSEWHERE, GROUP, GroupRanges, HEADER, Index, MAGIC, NONE, Reference, ReferenceKind,
};
use crate::pack::{self, Key, PackError, VERSION};
use crate::prelinked::{self, Prelinked, Summary};
use crate::unit::{Symbol, Unit};

/// A group to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// What its numbers stand for.
    pub references: Vec<Reference>,
    /// Where imports lead, by number, if that is a function that the group lacks: module and index.
    pub outside: Vec<(u32, (u32, u32))>,
    /// Its pack.
    pub pack: Cow<'a, [u8]>,
    /// The lines of that, or nothing.
    pub lines: Cow<'a, [u8]>,
}

/// A function that a group defines: module and index; its offset, [`NONE`] for an inline one, and that of its counters,
/// [`NONE`] if it has none.
pub type Defined = ((u32, u32), [u32; 2]);

/// What is known of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// The function of the image, as module and index, that it leads to, if it is one.
    pub target: Option<(u32, u32)>,
    /// Imports with the same value lead to the same.
    pub value: Option<u64>,
    /// Whether it leads into the image.
    pub near: bool,
    /// Whether it leads nowhere.
    pub absent: bool,
}

/// What a group needs to know of an image. Modules are known by their position in it.
pub trait Facts {
    /// What is known of function `index` of `module`.
    fn function(&self, module: u32, index: u32) -> Option<Reference>;
    /// What is known of import `index` of `module`.
    fn import(&self, module: u32, index: u32) -> Import;
}

/// The numbers of a group in the making.
struct Numbers<'f> {
    facts: &'f dyn Facts,
    all: Vec<Reference>,
    functions: BTreeMap<(u32, u32), u32>,
    imports: BTreeMap<(u32, u32), u32>,
    /// The first import of a value.
    values: BTreeMap<u64, u32>,
    known: BTreeMap<u32, Import>,
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

    /// The number by which the code knows an import.
    fn import(&mut self, module: u32, index: u32) -> u32 {
        let next = self.all.len() as u32;
        let number = *self.imports.entry((module, index)).or_insert(next);
        if number == next {
            let import = self.facts.import(module, index);
            let first = import.value.map_or(next, |value| *self.values.entry(value).or_insert(next));
            let slot = if first == next { NONE } else { first };
            self.all.push(Reference { module, index, other: NONE, slot, kind: ReferenceKind::Import });
            self.known.insert(next, import);
        }
        Some(self.all[number as usize].slot).filter(|slot| *slot != NONE).unwrap_or(number)
    }

    /// Once all functions have their numbers: where imports lead; and those that lead to none of these.
    fn find_targets(&mut self) -> Vec<(u32, (u32, u32))> {
        let mut outside = Vec::new();
        for (number, import) in &self.known {
            let Some(target) = import.target else { continue };
            if self.all[*number as usize].slot != NONE {
                continue;
            }
            match self.functions.get(&target) {
                Some(function) => self.all[*number as usize].other = *function,
                None => outside.push((*number, target)),
            }
        }
        outside
    }

    /// Whether a symbol is within reach of all code of the image.
    fn is_near(&self, symbol: &Symbol<'_>) -> bool {
        match symbol {
            Symbol::Name(_) => false,
            Symbol::Function(number) => {
                let Reference { module, other, kind, .. } = self.all[*number as usize];
                kind == ReferenceKind::Stub && other != NONE && self.facts.import(module, other).near
            }
            Symbol::Import(number) => self.known.get(number).is_some_and(|import| import.near),
        }
    }
}

impl Group<'static> {
    /// The group of these units, each of the module at a position in the image, in a file for `key`. None if they are
    /// too large to be one.
    pub fn of(units: &[(u32, &Unit<'_>)], facts: &dyn Facts, key: &Key) -> Option<Self> {
        let numbers = std::cell::RefCell::new(Numbers {
            facts,
            all: Vec::new(),
            functions: BTreeMap::new(),
            imports: BTreeMap::new(),
            values: BTreeMap::new(),
            known: BTreeMap::new(),
        });
        // Functions come first.
        for (module, unit) in units {
            let symbols = unit.functions.iter().map(|function| function.symbol);
            for symbol in symbols.chain(unit.externals.iter().map(|external| external.symbol)) {
                if let Symbol::Function(index) = symbol {
                    numbers.borrow_mut().function(*module, index);
                }
            }
        }
        let renumbered = units.iter().map(|(module, unit)| {
            unit.renumbered(
                |index| numbers.borrow_mut().function(*module, index),
                |index| numbers.borrow_mut().import(*module, index),
            )
        });
        let renumbered: Vec<_> = renumbered.collect();
        let mut numbers = numbers.into_inner();
        let outside = numbers.find_targets();
        let is_local = |number: u32| numbers.all[number as usize].kind == ReferenceKind::Local;
        let target = |number: u32| Some(numbers.all[number as usize].other).filter(|target| *target != NONE);
        let units: Vec<_> = renumbered.iter().collect();
        let merged = Unit::merge_modules(&units, is_local, target, |symbol| numbers.is_near(symbol))?;
        let pack = pack::encode(&merged, key);
        let lines = pack::generation(&pack).map(|it| pack::encode_lines(&merged.lines, key, it));
        let lines = lines.unwrap_or_default().into();
        let absent = numbers.known.iter().filter(|(_, import)| import.absent).map(|(number, _)| *number);
        for number in absent.collect::<Vec<_>>() {
            numbers.all[number as usize].other = ABSENT;
        }
        Some(Self { references: numbers.all, outside, pack: pack.into(), lines })
    }
}

impl Group<'_> {
    /// The functions that it defines for others. Its pack was made in this process, or checked.
    ///
    /// # Errors
    /// Its tables contradict one another.
    pub fn functions(&self) -> Result<Vec<Defined>, PackError> {
        let unit = pack::decode_checked(&self.pack)?;
        let functions = unit.functions.iter().filter(|function| function.global);
        let reference = |function: crate::unit::UnitFunction<'_>| match function.symbol {
            Symbol::Function(number) => {
                let counters = function.counters.map_or(NONE, |counters| counters.offset);
                let reference = self.references.get(number as usize);
                reference.map(|reference| (reference, function.offset, counters))
            }
            _ => None,
        };
        let known = functions.filter_map(reference).filter(|(reference, ..)| reference.module != NONE);
        Ok(known
            .map(|(reference, offset, counters)| {
                let offset = if reference.kind == ReferenceKind::Inline { NONE } else { offset };
                ((reference.module, reference.index), [offset, counters])
            })
            .collect())
    }
}

/// The image pack for `key` of these groups, of which the last that has a function counts. `key_at` gives the key of the
/// module at a position in the image. `ahead` has the same groups, linked ahead.
///
/// # Errors
/// A pack is damaged.
pub fn encode(
    groups: &[Group<'_>],
    key_at: impl Fn(u32) -> Key,
    key: &Key,
    ahead: Option<&Prelinked>,
) -> Result<Vec<u8>, PackError> {
    let mut functions: BTreeMap<(u32, u32), (u32, [u32; 2])> = BTreeMap::new();
    for (group, number) in groups.iter().zip(0..) {
        let of_group = group.functions()?.into_iter();
        functions.extend(of_group.map(|(function, offsets)| (function, (number, offsets))));
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
    // The length, and what was linked ahead, when they are known.
    index.extend_from_slice(&[0; 8 + prelinked::HEADER]);
    let (mut rest, mut first) = (functions.keys().peekable(), 0u32);
    for position in numbers.keys() {
        while rest.next_if(|(module, _)| module < position).is_some() {
            first += 1;
        }
        index.extend_from_slice(&key_at(*position));
        index.extend_from_slice(&position.to_le_bytes());
        index.extend_from_slice(&first.to_le_bytes());
    }
    for ((_, function), (group, [offset, counters])) in &functions {
        for number in [function, group, offset, counters] {
            index.extend_from_slice(&number.to_le_bytes());
        }
    }
    let (mut references, mut ranges) = (Vec::new(), Vec::new());
    let first = CHECKED + index.len() + groups.len() * GROUP;
    for group in groups {
        let start = references.len();
        let mut all = group.references.clone();
        for (number, _) in group.outside.iter().filter(|(_, target)| functions.contains_key(target)) {
            all[*number as usize].other = ELSEWHERE;
        }
        for reference in all {
            let module = numbers.get(&reference.module).copied().unwrap_or(NONE);
            references.extend_from_slice(&Reference { module, ..reference }.packed());
        }
        let check = xxh3_64(&references[start..]);
        let references = first + start..first + references.len();
        ranges.push(GroupRanges { references, check, pack: 0..0, lines: 0..0 });
    }
    let mut at = first + references.len();
    for (range, group) in ranges.iter_mut().zip(groups) {
        at = at.next_multiple_of(PAGE);
        range.pack = at..at + group.pack.len();
        at = range.pack.end;
    }
    for (range, group) in ranges.iter_mut().zip(groups) {
        at = at.next_multiple_of(8);
        range.lines = at..at + group.lines.len();
        at = range.lines.end;
    }
    let ahead = ahead.and_then(|ahead| {
        let tables = ahead.tables(|position| numbers.get(&position).copied())?;
        let summary = Summary {
            tables: at.next_multiple_of(8),
            tables_len: tables.len(),
            tables_check: xxh3_64(&tables),
            lens: ahead.lens,
            check: xxh3_64(&ahead.bytes),
            distance: ahead.distance,
            absolute: ahead.absolute,
        };
        at = summary.pages().end;
        Some((summary, tables, &ahead.bytes))
    });
    let summary = ahead.as_ref().map_or([0; prelinked::HEADER], |(summary, ..)| summary.packed());
    let [.., len, rest] = [HEADER - CHECKED - prelinked::HEADER - 8, HEADER - CHECKED - prelinked::HEADER];
    index[len..rest].copy_from_slice(&(at as u64).to_le_bytes());
    index[rest..HEADER - CHECKED].copy_from_slice(&summary);
    ranges.iter().for_each(|range| index.extend_from_slice(&range.packed()));

    let mut out = Vec::with_capacity(at);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&xxh3_64(&index).to_le_bytes());
    out.extend_from_slice(&index);
    debug_assert_eq!(out.len(), first);
    out.extend_from_slice(&references);
    for (range, group) in ranges.iter().zip(groups) {
        out.resize(range.pack.start, 0);
        out.extend_from_slice(&group.pack);
    }
    for (range, group) in ranges.iter().zip(groups) {
        out.resize(range.lines.start, 0);
        out.extend_from_slice(&group.lines);
    }
    if let Some((summary, tables, pages)) = ahead {
        out.resize(summary.tables, 0);
        out.extend_from_slice(&tables);
        out.resize(summary.pages().start, 0);
        out.extend_from_slice(pages);
    }
    Ok(out)
}

/// The groups of an image pack, to be written again: without those of which less than half would still be of use.
/// `position_now` gives the position in the image of a module by its number in `index`, None if it is gone; `covered`
/// says which functions, by position and index, newer code replaces; `slot_now` which slot a function has.
pub fn still_useful<'a>(
    bytes: &'a [u8],
    index: &Index<'a>,
    key: &Key,
    position_now: impl Fn(u32) -> Option<u32>,
    covered: impl Fn(u32, u32) -> bool,
    slot_now: impl Fn(u32, u32) -> Option<u32>,
) -> Vec<Group<'a>> {
    let group = |number: usize| {
        let range = &index.groups[number];
        let references = index.references(number).ok()?;
        let references = (0..references.len() as u32).map(|number| {
            let reference = references.get(number)?;
            let module = position_now(reference.module).unwrap_or(NONE);
            let is_stub = module != NONE && reference.kind == ReferenceKind::Stub;
            let slot = match reference.kind {
                ReferenceKind::Import => reference.slot,
                _ if is_stub => slot_now(module, reference.index).unwrap_or(NONE),
                _ => NONE,
            };
            Some(Reference { module, slot, ..reference })
        });
        let (pack, lines) = (&bytes[range.pack.clone()], &bytes[range.lines.clone()]);
        let references = references.collect::<Option<_>>()?;
        let group = Group { references, outside: Vec::new(), pack: pack.into(), lines: lines.into() };
        let unit = pack::decode(pack, key).ok()?;
        let all = unit.functions.iter().filter(|function| function.global).count();
        let functions = group.functions().ok()?;
        let useful = functions.iter().filter(|((module, index), _)| !covered(*module, *index)).count();
        (2 * useful > all).then_some(group)
    };
    (0..index.groups.len()).filter_map(group).collect()
}
