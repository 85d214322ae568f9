//! Writing image packs: what a process had to get otherwise becomes groups of a new file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::Relaxed;

use autojit_cache::{Directory, Kind};
use autojit_code::image_pack::{
    self, Facts, Group, Import, Index, NONE, Reference, ReferenceKind, still_useful,
};
use autojit_code::pack::Key;
use autojit_code::{Symbol, Unit};
use autojit_store::FunctionKind;

use super::link_ahead::link_ahead;
use super::{
    FIRST_CODE, ImagePack, MODULES, RENEWED, SMALL, is_worth_one, key_of, may_have_any, opened_pack,
    positions,
};
use crate::compile::cache::{self, path};
use crate::compile::modules;
use crate::link::kept_lines::KeptLines;
use crate::program::image::{self, Image};
use crate::program::module::Module;
use crate::program::unwind_table;
use crate::settings::stats;

/// Functions of the first group, unless one module has more. Each has twice as many as the one before: a process that
/// needs it has bound as much already, and what is in one group calls one another directly.
const GROUP_FUNCTIONS: usize = 256;
/// Bytes of code of the first group; likewise.
const GROUP_CODE: usize = 128 << 10;
/// How often they double.
const LARGEST_SCALE: usize = 5;

/// Writing a pack again takes about as long, for each so many bytes of it, as what a process does for want of a module in it.
const WORTH: usize = 512 << 10;

/// Code of a module that came by another way than the image pack.
#[derive(Debug)]
pub struct Noted {
    /// Its module.
    pub module: &'static Module,
    /// As cache files have it.
    pub unit: Unit<'static>,
    /// When it came: code that comes earlier has smaller numbers.
    pub time: u64,
    /// If its names and lines are in a file: where its text is.
    pub kept: Option<(usize, Option<KeptLines>)>,
    /// Whether no file has it yet, nor will another one than the pack.
    pub unwritten: bool,
}

/// Code that the first packs of images will have, so that files of modules need not: what takes about as long to make
/// again as to read. It is in files of modules for other programs, and a first run would mostly write these.
#[derive(Debug)]
pub struct OfPacks {
    limit: u64,
    /// By the image's address: how many modules, and bytes.
    images: BTreeMap<usize, (usize, u64)>,
}

impl OfPacks {
    /// None yet.
    pub fn new(directory: &Directory) -> Self {
        Self { limit: directory.part_limit(), images: BTreeMap::new() }
    }

    /// Counts a module, by all of its code.
    pub fn add(&mut self, module: &'static Module, units: &[Unit<'_>]) {
        let image = module.image();
        if may_have_any() && opened_pack(image).is_none() {
            let (modules, bytes) = self.images.entry(std::ptr::from_ref(image) as usize).or_default();
            *bytes += units.iter().map(code_len).sum::<usize>() as u64;
            *modules += 1;
        }
    }

    /// Whether the code of such a module will be in a pack. That has it twice, and tables.
    pub fn has(&self, module: &'static Module) -> bool {
        let image = module.image();
        let of_image = self.images.get(&(std::ptr::from_ref(image) as usize));
        of_image.is_some_and(|(modules, bytes)| is_worth_one(image, *modules) && 4 * bytes <= self.limit)
    }
}

/// By what units are put in order: what was optimised, as it runs often, lies together in front of what still counts, and what
/// was needed together comes into one group.
fn place(time: u64, unit: &Unit<'_>) -> (bool, u64) {
    (unit.functions.iter().any(|function| function.counters.is_some()), time)
}

/// Bytes of code, with its data and unwind tables.
fn code_len(unit: &Unit<'_>) -> usize {
    unit.segments.iter().map(|segment| segment.len()).sum()
}

/// What is known of an image.
struct ImageFacts(&'static Image);

impl ImageFacts {
    fn module(&self, position: u32) -> Option<&'static Module> {
        self.0.module(position as usize)
    }
}

impl Facts for ImageFacts {
    fn function(&self, module: u32, index: u32) -> Option<Reference> {
        let function = self.module(module)?.function(index)?;
        let (kind, import) = function.kind();
        let kind = match kind {
            FunctionKind::Local => ReferenceKind::Local,
            FunctionKind::Inline => ReferenceKind::Inline,
            FunctionKind::Stub => ReferenceKind::Stub,
        };
        let is_stub = kind == ReferenceKind::Stub;
        let slot = is_stub.then(|| self.0.find_slot(function.module(), index)).flatten().unwrap_or(NONE);
        Some(Reference { module, index, other: import.unwrap_or(NONE), slot, kind })
    }

    fn import(&self, module: u32, import: u32) -> Import {
        let Some(module) = self.module(module) else { return Import::default() };
        let Some(address) = module.import(import) else { return Import::default() };
        let target = image::function_of_stub(address).and_then(|function| {
            let module = function.module();
            std::ptr::eq(module.image(), self.0).then(|| (self.0.position_of(module), function.index()))
        });
        // An address of the image, or a entry of its GOT, which has one for each symbol.
        let near = self.0.contains(address);
        let value =
            if near { Some(address) } else { module.import_got_entry(import).map(|entry| entry | GOT_ENTRY) };
        Import { target, value: value.map(|value| value as u64), near, absent: address == 0 }
    }
}

/// Tells GOT entries from what is in them.
const GOT_ENTRY: usize = 1 << (usize::BITS - 1);

/// Writes the packs of images for which that is worth while, and returns what is left of `noted`.
pub fn write(directory: &Directory, mut noted: Vec<Noted>) -> Vec<Noted> {
    if !may_have_any() {
        return noted;
    }
    for image in image::all() {
        let (is_its, mut modules) = (|it: &&Noted| std::ptr::eq(it.module.image(), image), BTreeSet::new());
        modules.extend(noted.iter().filter(is_its).map(|it| image.position_of(it.module)));
        let pack = opened_pack(image);
        let is_stale = pack.is_some_and(|pack| pack.is_stale.swap(false, Relaxed));
        let is_renewed = RENEWED.load(Relaxed) && pack.is_some() && !modules.is_empty();
        let is_settled = pack.is_some_and(|pack| is_settled(image, pack, noted.iter().filter(is_its)));
        let is_worth_it = match pack {
            None => {
                let mut of_image = noted.iter().filter(is_its);
                is_worth_one(image, modules.len())
                    || of_image.clone().map(|it| code_len(&it.unit)).sum::<usize>() >= FIRST_CODE
                        && of_image.all(|it| it.kept.is_some())
            }
            Some(pack) => {
                let is_wanted = is_settled || modules.len() >= MODULES;
                is_stale || is_renewed || is_wanted && is_due(directory, image, pack, modules)
            }
        };
        if !is_worth_it {
            continue;
        }
        noted.append(&mut cache::take_noted());
        let (mut of_image, others): (Vec<_>, _) = noted.into_iter().partition(|it| is_its(&it));
        noted = others;
        // Entries are large, and most are at their places.
        of_image.sort_by_cached_key(|it| place(it.time, &it.unit));
        let unwritten = of_image.iter().filter(|it| it.unwritten).map(globals).sum();
        let key = key_of(image);
        let old = directory.read(&key, Kind::Image).ok();
        // Another process may have written it meanwhile, or it may have gone.
        let least = match old {
            Some(_) if is_stale || is_renewed => 0,
            Some(_) if !is_settled => MODULES,
            _ => 1,
        };
        let bytes = image
            .while_loaded(|| encode(image, of_image, old.as_deref(), &key, least, directory.part_limit()))
            .flatten();
        match bytes.map(|bytes| directory.write_part(&key, Kind::Image, &bytes)) {
            None => {}
            Some(Ok(())) => stats::COUNTERS.cached.add(unwritten),
            Some(Err(error)) => log::debug!(
                "writing the image pack of {} to the cache {}: {error}",
                image.name(),
                path(directory)
            ),
        }
    }
    noted
}

/// Whether what processes have done for want of code in the pack, this one for `modules`, is worth writing it. Then this process
/// has what the cache has of all modules that they lacked: each writer would add a few, and suites of tests are of many programs.
fn is_due(directory: &Directory, image: &'static Image, pack: &ImagePack, modules: BTreeSet<u32>) -> bool {
    let enough = pack.packs_len / WORTH;
    if modules.len() >= enough {
        return true;
    }
    let modules: Vec<u32> = modules.into_iter().collect();
    let Ok(lacking) = directory.note_lacking(&pack.key, &modules, enough as u32) else { return false };
    // The program may close a library meanwhile.
    if image.is_executable() {
        let modules = lacking.iter().filter_map(|position| image.module(*position as usize));
        modules.filter(|module| module.open().is_ok()).for_each(modules::bind_cached);
    }
    !lacking.is_empty()
}

/// Whether an earlier run left code in the files of modules that the pack lacks, and this process had nothing to add: others will
/// open those files, too. What was compiled now is not worth the rest, as it may be an edit of a few modules, and a first run of many tests
/// would write the pack in each.
fn is_settled<'a>(
    image: &'static Image,
    pack: &ImagePack,
    mut noted: impl Iterator<Item = &'a Noted> + Clone,
) -> bool {
    let lacks = |it: &Noted| {
        let number = pack.number_of(image, it.module);
        functions(image, it).iter().any(|((_, index), counts)| {
            match number.and_then(|it| pack.index.find(it, *index)) {
                None => true,
                Some(found) => pack.packs_len <= SMALL && found.counters.is_some() && !counts,
            }
        })
    };
    noted.clone().all(|it| it.kept.is_some()) && noted.any(lacks)
}

/// The new pack of an image; None if fewer than `least` modules have code that the old one lacks. It is not linked
/// ahead if it had more than `limit` bytes then.
fn encode(
    image: &'static Image,
    noted: Vec<Noted>,
    old: Option<&[u8]>,
    key: &Key,
    least: usize,
    limit: u64,
) -> Option<Vec<u8>> {
    let facts = ImageFacts(image);
    let old = old.and_then(|bytes| {
        let head = &bytes[..image_pack::packs_at(bytes)?];
        Some((bytes, Index::open(head, bytes.len(), key).ok()?))
    });
    let new: BTreeMap<(u32, u32), bool> = noted.iter().flat_map(|it| functions(image, it)).fold(
        BTreeMap::new(),
        |mut all, (function, counts)| {
            all.entry(function).and_modify(|known| *known &= counts).or_insert(counts);
            all
        },
    );
    // By number in the old pack: where the module is now.
    let now: Vec<Option<u32>> = match &old {
        None => Vec::new(),
        Some((_, index)) => {
            let positions = positions(image);
            let module = |number| index.module(number).and_then(|(key, _)| positions.get(key).copied());
            (0..index.len() as u32).map(module).collect()
        }
    };
    // What counts is not as good as what does not.
    let known = |((module, function), counts): &(&(u32, u32), &bool)| {
        let Some((_, index)) = &old else { return false };
        let number = now.iter().position(|position| *position == Some(*module));
        let found = number.and_then(|number| index.find(number as u32, *function));
        found.is_some_and(|found| found.counters.is_none() || **counts)
    };
    let missing: BTreeSet<u32> = new.iter().filter(|it| !known(it)).map(|((module, _), _)| *module).collect();
    if missing.len() < least {
        return None;
    }
    let mut groups = match &old {
        None => Vec::new(),
        Some((bytes, index)) => still_useful(
            bytes,
            index,
            key,
            |number| now.get(number as usize).copied().flatten(),
            |module, function| new.contains_key(&(module, function)),
            |module, index| image.find_slot(facts.module(module)?, index),
        ),
    };
    let noted = noted.into_iter().filter_map(|it| {
        let (position, mut unit) = named(image, it)?;
        unit.demote(|function| match function.symbol {
            Symbol::Function(index) => {
                function.counters.is_none() || new.get(&(position, index)) == Some(&true)
            }
            _ => true,
        });
        let is_wanted = unit.functions.iter().any(|function| function.global);
        is_wanted.then_some((position, unit))
    });
    let noted: Vec<_> = noted.collect();
    let mut rest = &noted[..];
    for len in
        group_lens(noted.iter().map(|(_, unit)| (unit.functions.len(), unit.segments[0].len())), groups.len())
    {
        let (group, behind) = rest.split_at(len);
        rest = behind;
        let units: Vec<_> = group.iter().map(|(position, unit)| (*position, unit)).collect();
        groups.extend(Group::of(&units, &facts, key));
    }
    let key_at = |position: u32| image.module(position as usize).expect("it has what it is of").record().key;
    let bytes = link_ahead(image, &groups)
        .and_then(|ahead| image_pack::encode(&groups, key_at, key, Some(&ahead)).ok())
        .filter(|bytes| bytes.len() as u64 <= limit);
    bytes.or_else(|| image_pack::encode(&groups, key_at, key, None).ok())
}

/// How many units each group has, of these with so many functions and bytes of code, behind `before` groups.
fn group_lens(units: impl Iterator<Item = (usize, usize)>, before: usize) -> Vec<usize> {
    let mut lens: Vec<usize> = Vec::new();
    let (mut functions, mut code) = (0, 0);
    for (more_functions, more_code) in units {
        functions += more_functions;
        code += more_code;
        let scale = 1 << (before + lens.len().saturating_sub(1)).min(LARGEST_SCALE);
        match lens.last_mut() {
            Some(len) if functions <= GROUP_FUNCTIONS * scale && code <= GROUP_CODE * scale => *len += 1,
            _ => {
                lens.push(1);
                (functions, code) = (more_functions, more_code);
            }
        }
    }
    lens
}

/// How many functions noted code defines for others.
fn globals(noted: &Noted) -> u64 {
    noted.unit.functions.iter().filter(|function| function.global).count() as u64
}

/// The functions of noted code that others can call, and whether they count.
fn functions(image: &Image, noted: &Noted) -> Vec<((u32, u32), bool)> {
    let position = image.position_of(noted.module);
    let functions = noted.unit.functions.iter().filter(|function| function.global);
    let index = |function: autojit_code::unit::UnitFunction<'_>| match function.symbol {
        Symbol::Function(index) => Some(((position, index), function.counters.is_some())),
        _ => None,
    };
    functions.filter_map(index).collect()
}

/// Noted code with names and lines, and the position of its module. None if those are gone.
fn named(image: &Image, noted: Noted) -> Option<(u32, Unit<'static>)> {
    let Noted { module, mut unit, kept, .. } = noted;
    if let Some((text, lines)) = kept {
        let named = unwind_table::TABLE.symbols(text);
        unit.names = named.map(|named| named.name.to_string_lossy().into_owned().into()).collect();
        unit.lines = lines.map(|lines| lines.read()).unwrap_or_default();
        if unit.lines.is_empty() && lines.is_some() {
            return None;
        }
    }
    (unit.names.len() == unit.functions.len()).then(|| (image.position_of(module), unit))
}

#[cfg(test)]
mod tests {
    use autojit_code::unit::{CountersAt, UnitFunction};

    use super::*;

    #[test]
    fn what_was_optimised_lies_in_front_of_what_counts() {
        let unit = |counters| {
            let function =
                UnitFunction { symbol: Symbol::Function(0), offset: 0, size: 1, global: true, counters };
            Unit { functions: vec![function].into(), ..Unit::default() }
        };
        let (counts, optimised) = (unit(Some(CountersAt { offset: 0, count: 1 })), unit(None));
        let mut units = [(1, &counts), (2, &optimised), (3, &counts), (4, &optimised)];
        units.sort_by_key(|(time, unit)| place(*time, unit));
        assert_eq!(units.map(|(time, _)| time), [2, 4, 1, 3]);
    }

    #[test]
    fn large_programs_have_few_groups() {
        let lens = |count: usize, before: usize| group_lens((0..count).map(|_| (1, 100)), before);
        assert_eq!(lens(0, 0), []);
        assert_eq!(lens(256, 0), [256]);
        assert_eq!(lens(1011, 0), [256, 512, 243]);
        assert_eq!(lens(8539, 0).len(), 6);
        assert_eq!(lens(1000, 2), [1000]);
        // One module may have more; code counts as well.
        assert_eq!(group_lens([(1000, 9), (1, 9), (1, 9)].into_iter(), 0), [1, 2]);
        assert_eq!(group_lens([(1, 200 << 10), (1, 200 << 10), (1, 1)].into_iter(), 0), [1, 2]);
    }
}
