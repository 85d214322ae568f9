//! Image packs: one file of the cache with what a program has needed of many modules of an image.
//!
//! Receives functions that are called for the first time ([`bind`]), and what was bound by other ways
//! ([`Noted`], from [`cache`]); hands on code. The pack of an image is opened with the first of its functions. Code in it
//! is bound group by group: a group has what an earlier run had needed one after the other, of whatever modules. What the
//! pack lacks is for the module's own file, or a compiler; if a process has needed that for several modules, it writes the
//! pack anew at its end ([`write`]). docs/cache-format.md describes the file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use autojit_cache::{Directory, Kind};
use autojit_code::image_pack::{
    self, Facts, Group, Index, NONE, Reference, ReferenceKind, References, still_useful,
};
use autojit_code::lock::Lock;
use autojit_code::pack::{self, Key};
use autojit_code::{LinkError, Resolver, Symbol, Target, Unit, Usage, place_described};
use autojit_store::FunctionKind;

use crate::cache::{KeptLines, path};
use crate::function::Function;
use crate::image::{self, Image};
use crate::module::Module;
use crate::publish::{Origin, publish};
use crate::{cache, lifecycle, names, stats, symbols, sys, unwind};

/// So many modules whose own files a process has opened, or that it has compiled, are worth a new image pack; an image
/// with fewer has none.
const MODULES: usize = 8;
/// Functions of a group, unless one module has more.
const GROUP_FUNCTIONS: usize = 256;
/// Bytes of code of a group; likewise.
const GROUP_CODE: usize = 128 << 10;

/// Bytes that come into memory when one of them is read, if the file is in the page cache: 64 KiB on Linux.
const FAULT_AROUND: usize = 64 << 10;

/// The image pack of an image, open.
#[derive(Debug)]
pub struct ImagePack {
    key: Key,
    index: Index<'static>,
    /// The packs of the groups; each is taken when it is bound.
    packs: Lock<Vec<Option<&'static mut [u8]>>>,
    lines: Vec<&'static [u8]>,
    /// If the image is not the one that the pack was written for: its modules by key, and those of the image.
    numbers: OnceLock<BTreeMap<&'static Key, u32>>,
    places: OnceLock<BTreeMap<&'static Key, u32>>,
}

/// The key of the image's pack. Not that of its content: after an edit most of it is still good.
fn key_of(image: &Image) -> Key {
    autojit_cache::key_of_image(image.name(), lifecycle::opt_override())
}

/// Binds the group that `function` is in, if the image's pack has it. The caller is inside the gate.
pub fn bind(function: &'static Function) {
    let module = function.module();
    let image = module.image();
    let Some(pack) = image.pack(open) else { return };
    if let Some(number) = pack.number_of(image, module)
        && let Some(group) = pack.index.group_of(number, function.index())
    {
        pack.bind_group(image, group);
    }
}

/// Binds everything that the image's pack has.
pub fn bind_all(image: &'static Image) {
    if let Some(pack) = image.pack(open) {
        (0..pack.index.groups.len()).for_each(|group| pack.bind_group(image, group));
    }
}

/// Whether an image pack is worth while; not where calls are to pass stubs, as those in one lead to code.
fn may_have_one(image: &Image) -> bool {
    image.modules().len() >= MODULES && !lifecycle::calls_pass_stubs()
}

fn open(image: &Image) -> Option<ImagePack> {
    if !may_have_one(image) {
        return None;
    }
    let directory = cache::directory()?;
    let key = key_of(image);
    let unusable = |error: &dyn std::fmt::Display| {
        log::debug!(
            "the image pack of {} in the cache {} is not usable: {error}",
            image.name(),
            path(directory)
        );
    };
    let content = match directory.map_changeable(&key, Kind::Image) {
        Ok(content) => content,
        Err(sys::Errno(libc::ENOENT)) => return None,
        Err(error) => {
            unusable(&error);
            return None;
        }
    };
    stats::COUNTERS.cache_files.add(1);
    let (len, packs) = (content.len(), image_pack::packs_at(&content).unwrap_or(content.len()));
    if let Err(error) = Index::open(&content[..packs], len, &key) {
        unusable(&error);
        directory.remove(&key, Kind::Image);
        return None;
    }
    // Names and unwind tables of the code are read in it as long as the code is there.
    let (head, mut rest) = content.leak().split_at_mut(packs);
    let index = Index::open(head, len, &key).ok()?;
    let mut at = packs;
    let mut take = |range: &std::ops::Range<usize>| {
        let (_, behind) = std::mem::take(&mut rest).split_at_mut(range.start - at);
        let (taken, behind) = behind.split_at_mut(range.len());
        (rest, at) = (behind, range.end);
        taken
    };
    let bytes = index.groups.iter().map(|group| Some(take(&group.pack))).collect();
    let lines = index.groups.iter().map(|group| &*take(&group.lines)).collect();
    let (numbers, places) = (OnceLock::new(), OnceLock::new());
    Some(ImagePack { key, index, packs: Lock::new(bytes), lines, numbers, places })
}

/// The modules of an image by key.
fn places(image: &'static Image) -> BTreeMap<&'static Key, u32> {
    image.modules().iter().zip(0..).map(|(module, place)| (&module.record().key, place)).collect()
}

impl ImagePack {
    /// The pack's number of a module.
    fn number_of(&self, image: &Image, module: &Module) -> Option<u32> {
        let key = &module.record().key;
        let at_place = self.index.module_at(image.place_of(module));
        let is_it = |number: &u32| self.index.module(*number).is_some_and(|(it, _)| it == key);
        at_place.filter(is_it).or_else(|| {
            let all =
                || (0..self.index.len() as u32).map(|number| Some((self.index.module(number)?.0, number)));
            self.numbers.get_or_init(|| all().flatten().collect()).get(key).copied()
        })
    }

    /// Where in the image the module of a number is, if it is still there.
    fn place_of(&self, image: &'static Image, number: u32) -> Option<u32> {
        let (key, place) = self.index.module(number)?;
        let is_it = image.modules().get(place as usize).is_some_and(|module| module.record().key == *key);
        if is_it { Some(place) } else { self.places.get_or_init(|| places(image)).get(key).copied() }
    }

    /// Binds a group, once. Other threads that want to have one of the image wait.
    fn bind_group(&self, image: &'static Image, group: usize) {
        let mut packs = self.packs.lock();
        let Some(bytes) = packs.get_mut(group).and_then(Option::take) else { return };
        if let Err(error) = self.bind_bytes(image, group, bytes) {
            let Some(directory) = cache::directory() else { return };
            let name = image.name();
            log::debug!(
                "group {group} of the image pack of {name} in the cache {}: {error}",
                path(directory)
            );
            if matches!(error, LinkError::Object(_)) {
                directory.remove(&self.key, Kind::Image);
            }
        }
    }

    fn bind_bytes(
        &self,
        image: &'static Image,
        group: usize,
        bytes: &'static mut [u8],
    ) -> Result<(), LinkError> {
        let damaged = |error: pack::PackError| LinkError::Object(error.to_string());
        let references = self.index.references(group).map_err(damaged)?;
        if let Some(len) = pack::code_len(bytes).filter(|len| *len > FAULT_AROUND) {
            sys::want(&bytes[..len]);
        }
        let description = pack::check(bytes, &self.key).map_err(damaged)?;
        let lines = match (pack::generation(bytes), self.lines[group]) {
            (None, _) => names::Lines::None,
            (Some(generation), content) if pack::are_lines_of(content, &self.key, generation) => {
                names::Lines::Kept(KeptLines::in_image(content, self.key, generation))
            }
            (Some(_), _) => return Err(LinkError::Object("its lines belong to other code".into())),
        };
        let (code, description) = bytes.split_at_mut(description);
        let unit = pack::decode_checked(code).map_err(damaged)?;
        let mut names = Names { pack: self, image, references, claimed: Vec::new() };
        let mut claimed = names.claim(&unit);
        names.claimed = std::mem::take(&mut claimed.serves);
        let Some((first, _)) = claimed.functions.first() else { return Ok(()) };
        let memory = image.memory();
        let linked = place_described(&unit, memory, &mut names)?;
        let described = (description, unit.functions.len());
        let origin = Origin::Cache { described, claimed: &claimed.functions };
        let bound = publish(first.module(), memory, linked, lines, origin)?;
        log::debug!("{bound} functions of {} came from its image pack", image.name());
        Ok(())
    }
}

/// What the numbers of a group stand for in this process.
struct Names<'a> {
    pack: &'a ImagePack,
    image: &'static Image,
    references: References<'static>,
    /// By number, whether a function's code is the one that is being linked.
    claimed: Vec<bool>,
}

impl Names<'_> {
    /// A function, or None for one of a module that has changed.
    fn function(&self, reference: Reference) -> Result<Option<&'static Function>, String> {
        let Some(module) = self.module(reference) else { return Ok(None) };
        module.function(reference.index).map(Some).ok_or_else(|| "a function that is not there".into())
    }

    fn module(&self, reference: Reference) -> Option<&'static Module> {
        let place = self.pack.place_of(self.image, reference.module)?;
        self.image.modules().get(place as usize)
    }

    /// The functions that code of `unit` is for, as far as they are cold.
    fn claim(&self, unit: &Unit<'_>) -> cache::Claimed {
        let functions = Vec::with_capacity(unit.functions.len());
        let mut all = cache::Claimed { functions, serves: vec![false; self.references.len()] };
        for definition in unit.functions.iter().filter(|function| function.global) {
            let Symbol::Function(number) = definition.symbol else { continue };
            let Some(reference) = self.references.get(number) else { continue };
            let Ok(Some(function)) = self.function(reference) else { continue };
            let served = match reference.kind {
                ReferenceKind::Stub => self.image.adopt_slot(function, reference.slot).then_some(function),
                ReferenceKind::Local => Some(function),
                ReferenceKind::Inline => symbols::chosen(function),
                ReferenceKind::Import => None,
            };
            if let Some(served) = served.filter(|served| served.claim()) {
                all.serves[number as usize] = true;
                all.functions.push((served, definition.offset));
            }
        }
        all
    }

    /// Whether calls of a function that was claimed, by its module, lead to this definition.
    fn is_chosen(function: &'static Function, reference: Reference) -> bool {
        match reference.kind {
            ReferenceKind::Local | ReferenceKind::Inline => true,
            ReferenceKind::Stub => leads_to(function.module(), reference.other, function),
            ReferenceKind::Import => false,
        }
    }
}

/// Whether an import leads to the stub of `function`.
fn leads_to(module: &'static Module, import: u32, function: &'static Function) -> bool {
    let behind = module.import(import).and_then(image::function_of_stub);
    behind.is_some_and(|behind| std::ptr::eq(behind, function))
}

impl Resolver for Names<'_> {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        let number = match symbol {
            Symbol::Name(name) => return symbols::bind_library_function(name, self.image, usage, weak),
            Symbol::Function(number) | Symbol::Import(number) => *number,
        };
        let reference = self.references.get(number).ok_or("a number of nothing")?;
        let Some(module) = self.module(reference) else {
            // Code of a module that has changed: nothing will run it.
            return Ok(Target { address: self.image.address(), pending: None });
        };
        match (reference.kind, symbol) {
            (ReferenceKind::Import, Symbol::Import(_)) => {
                symbols::bind_import(module, reference.index, usage)
            }
            (ReferenceKind::Stub, Symbol::Function(_)) => {
                symbols::bind_import(module, reference.other, usage)
            }
            (ReferenceKind::Local | ReferenceKind::Inline, Symbol::Function(_)) => {
                let function = module.function(reference.index).ok_or("a function that is not there")?;
                symbols::bind_function(function, usage).map_err(|failure| failure.to_string())
            }
            _ => Err("a number of something else".into()),
        }
    }

    fn defines(&mut self, symbol: &Symbol<'_>) -> bool {
        let is_claimed = |number: u32| self.claimed.get(number as usize).is_some_and(|claimed| *claimed);
        match symbol {
            Symbol::Name(_) => true,
            Symbol::Function(number) => {
                is_claimed(*number)
                    && self.references.get(*number).is_some_and(|reference| {
                        matches!(self.function(reference), Ok(Some(it)) if Self::is_chosen(it, reference))
                    })
            }
            // The place of its function is known if the import leads there now, too.
            Symbol::Import(number) => self.references.get(*number).is_some_and(|import| {
                is_claimed(import.other)
                    && self.references.get(import.other).is_some_and(|target| {
                        let function = self.function(target).ok().flatten();
                        let module = self.module(import);
                        function.zip(module).is_some_and(|(it, module)| leads_to(module, import.index, it))
                    })
            }),
        }
    }
}

/// Code of a module that came by another way than the image pack.
#[derive(Debug)]
pub struct Noted {
    /// Its module.
    pub module: &'static Module,
    /// As cache files have it.
    pub unit: Unit<'static>,
    /// If its names and lines are in a file: where its text is.
    pub kept: Option<(usize, Option<KeptLines>)>,
}

/// What is known of an image.
struct ImageFacts(&'static Image);

impl ImageFacts {
    fn module(&self, place: u32) -> Option<&'static Module> {
        self.0.modules().get(place as usize)
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
        let slot = self.0.number_of_slot(function).unwrap_or(NONE);
        Some(Reference { module, index, other: import.unwrap_or(NONE), slot, kind })
    }

    fn target(&self, module: u32, import: u32) -> Option<(u32, u32)> {
        let function = image::function_of_stub(self.module(module)?.import(import)?)?;
        let module = function.module();
        std::ptr::eq(module.image(), self.0).then(|| (self.0.place_of(module), function.index()))
    }
}

/// Writes the packs of images for which that is worth while, and returns what is left of `noted`.
pub fn write(directory: &Directory, mut noted: Vec<Noted>) -> Vec<Noted> {
    let modules = |noted: &[Noted], image: &Image| {
        let of_image = noted.iter().filter(|it| std::ptr::eq(it.module.image(), image));
        of_image.map(|it| image.place_of(it.module)).collect::<BTreeSet<_>>().len()
    };
    for image in image::all().filter(|image| may_have_one(image)) {
        if modules(&noted, image) < MODULES {
            continue;
        }
        let (of_image, others) = noted.into_iter().partition(|it| std::ptr::eq(it.module.image(), image));
        noted = others;
        let key = key_of(image);
        let old = directory.read(&key, Kind::Image).ok();
        let bytes = image.while_loaded(|| encode(image, of_image, old.as_deref(), &key)).flatten();
        let written = bytes.map(|bytes| directory.write_part(&key, Kind::Image, &bytes));
        if let Some(Err(error)) = written {
            log::debug!(
                "writing the image pack of {} to the cache {}: {error}",
                image.name(),
                path(directory)
            );
        }
    }
    noted
}

/// The new pack of an image; None if there is no need for one.
fn encode(image: &'static Image, noted: Vec<Noted>, old: Option<&[u8]>, key: &Key) -> Option<Vec<u8>> {
    let facts = ImageFacts(image);
    let old = old.and_then(|bytes| {
        let head = &bytes[..image_pack::packs_at(bytes)?];
        Some((bytes, Index::open(head, bytes.len(), key).ok()?))
    });
    let new: BTreeSet<(u32, u32)> = noted.iter().flat_map(|it| functions(image, it)).collect();
    // By number in the old pack: where the module is now.
    let now: Vec<Option<u32>> = match &old {
        None => Vec::new(),
        Some((_, index)) => {
            let places = places(image);
            let module = |number| index.module(number).and_then(|(key, _)| places.get(key).copied());
            (0..index.len() as u32).map(module).collect()
        }
    };
    let known = |(module, function): &(u32, u32)| {
        let Some((_, index)) = &old else { return false };
        let number = now.iter().position(|place| *place == Some(*module));
        number.is_some_and(|number| index.group_of(number as u32, *function).is_some())
    };
    let missing: BTreeSet<u32> = new.iter().filter(|it| !known(it)).map(|(module, _)| *module).collect();
    if missing.len() < MODULES {
        // Another process has written it meanwhile.
        return None;
    }
    let mut groups = match &old {
        None => Vec::new(),
        Some((bytes, index)) => still_useful(
            bytes,
            index,
            key,
            |number| now.get(number as usize).copied().flatten(),
            |module, function| new.contains(&(module, function)),
            |module, index| image.number_of_slot(facts.module(module)?.function(index)?),
        ),
    };
    let noted: Vec<_> = noted.into_iter().filter_map(|it| named(image, it)).collect();
    let mut rest = &noted[..];
    while !rest.is_empty() {
        let (mut count, mut code) = (0, 0);
        let fits = |(_, unit): &&(u32, Unit<'_>)| {
            count += unit.functions.len();
            code += unit.pieces[0].len();
            count <= GROUP_FUNCTIONS && code <= GROUP_CODE
        };
        let len = rest.iter().take_while(fits).count().max(1);
        let (group, behind) = rest.split_at(len);
        rest = behind;
        let units: Vec<_> = group.iter().map(|(place, unit)| (*place, unit)).collect();
        groups.extend(Group::of(&units, &facts, key));
    }
    let key_at = |place: u32| image.modules()[place as usize].record().key;
    image_pack::encode(&groups, key_at, key).ok()
}

/// The functions of noted code that others can call.
fn functions(image: &Image, noted: &Noted) -> Vec<(u32, u32)> {
    let place = image.place_of(noted.module);
    let functions = noted.unit.functions.iter().filter(|function| function.global);
    let index = |function: autojit_code::unit::Function<'_>| match function.symbol {
        Symbol::Function(index) => Some((place, index)),
        _ => None,
    };
    functions.filter_map(index).collect()
}

/// Noted code with names and lines, and the place of its module. None if those are gone.
fn named(image: &Image, noted: Noted) -> Option<(u32, Unit<'static>)> {
    let Noted { module, mut unit, kept } = noted;
    if let Some((text, lines)) = kept {
        let named = unwind::TABLE.symbols(text);
        unit.names = named.map(|named| named.name.to_string_lossy().into_owned().into()).collect();
        unit.lines = lines.map(|lines| lines.read()).unwrap_or_default();
        if unit.lines.is_empty() && lines.is_some() {
            return None;
        }
    }
    (unit.names.len() == unit.functions.len()).then(|| (image.place_of(module), unit))
}
