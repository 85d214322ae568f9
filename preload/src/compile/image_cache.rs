//! Image packs: one file of the cache with what a program has needed of many modules of an image.
//!
//! Receives functions that are called for the first time ([`bind`]), executables ([`bind_first`]), and what was bound by other ways
//! ([`Noted`], from [`cache`]); hands on code. The pack of an image is opened with the first of its functions. Code in it
//! is bound group by group: a group has what an earlier run had needed one after the other, of whatever modules. What the
//! pack lacks is for the module's own file, or a compiler; if a process has needed that for several modules, it writes the
//! pack anew at its end ([`write`]). docs/cache-format.md describes the file.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};

use autojit_cache::{BaselineCode, Kind};
use autojit_code::image_pack::{self, Found, Index, References};
use autojit_code::lock::Lock;
use autojit_code::pack::{self, Key};
use autojit_code::unit::{Segment, UnitFunction};
use autojit_code::{Code, LinkError, link};
use autojit_trampoline::contract::Slot;

use crate::compile::cache::{self, path};
use crate::compile::{baseline, counted};
use crate::link::kept_lines::KeptLines;
use crate::link::lines;
use crate::link::publish::{Claim, Publication, publish};
use crate::program::function::Function;
use crate::program::image::{self, Image};
use crate::program::module::Module;
use crate::settings::{options, stats};
use crate::sys;

mod bind_ahead;
mod group;
mod link_ahead;
mod write;

use bind_ahead::{Ahead, Refusal, Stubs};
use group::{Definitions, Names};
pub use write::{Noted, OfPacks, write};

/// So many modules whose own files a process has opened, or that it has compiled, are worth a new image pack.
const MODULES: usize = 8;
/// So many are worth the first one of an image with so many or more.
const FIRST_MODULES: usize = 2;
/// So many bytes of code that were found in files of modules are worth the first one of any image: pages are mapped, where code of
/// such a file is copied. A run that compiles does not pay for that: there may be no later one.
const FIRST_CODE: usize = 32 << 10;
/// Bytes of packs that are written again for better code at once: no longer than it takes to look for that.
const SMALL: usize = 4 << 20;
/// Bytes that come into memory when one of them is read, if the file is in the page cache: 64 KiB on Linux.
const FAULT_AROUND: usize = 64 << 10;

/// Where a module of the pack is was not asked yet.
const UNKNOWN: usize = 0;
/// A module of the pack is no longer in the image.
const GONE: usize = 1;

/// The image pack of an image, open.
#[derive(Debug)]
pub struct ImagePack {
    key: Key,
    index: Index<'static>,
    /// Where the texts of the groups are; 0 for one that is not bound.
    texts: Vec<AtomicUsize>,
    /// Where their data is, before their texts are known.
    data: Vec<AtomicUsize>,
    /// The packs of the groups; each is taken when it is bound.
    packs: Lock<Vec<Option<&'static mut [u8]>>>,
    /// What all of them are if they were linked ahead; taken when that is tried.
    ahead: Lock<Option<Ahead>>,
    /// Stubs for functions that have none, once all are bound.
    stubs: OnceLock<Stubs>,
    /// Whether the image is another than the one that they were linked for.
    is_stale: AtomicBool,
    lines: Vec<&'static [u8]>,
    /// The references of the groups, once they were asked for; None inside if they are damaged.
    references: Vec<OnceLock<Option<References<'static>>>>,
    /// Its modules by number: [`UNKNOWN`], [`GONE`], or the address of a [`Module`].
    modules: Vec<AtomicUsize>,
    /// Bytes of all packs, about half of which is text.
    packs_len: usize,
    /// If the image is not the one that the pack was written for: its modules by key, and those of the image.
    numbers: OnceLock<BTreeMap<&'static Key, u32>>,
    positions: OnceLock<BTreeMap<&'static Key, u32>>,
}

/// Whether the packs that there are get whatever news there is of their images.
static RENEWED: AtomicBool = AtomicBool::new(false);

/// From now on, packs that are there are written anew for any news of their images.
pub fn renew() {
    RENEWED.store(true, Relaxed);
}

/// The key of the image's pack. Not that of its content: after an edit most of it is still good.
fn key_of(image: &Image) -> Key {
    autojit_cache::key_of_image(image.name(), options::opt_override(), baseline::code())
}

/// The image's pack, which is opened the first time.
fn pack_of(image: &'static Image) -> Option<&'static ImagePack> {
    let open = || {
        let pack = open(image)?;
        image.tell_of_names(introduce);
        image.ask_for_stubs(stub_of);
        Some(pack)
    };
    image.attachment().get_or_init::<Option<ImagePack>>(open).as_ref()
}

/// The image's pack, if that was opened.
fn opened_pack(image: &Image) -> Option<&ImagePack> {
    image.attachment().get::<Option<ImagePack>>()?.as_ref()
}

/// Binds the group that `function` is in, if the image's pack has it. An inline function that is named when its group is bound already
/// gets its code of that. The caller has a fork guard.
pub fn bind(function: &'static Function) {
    let module = function.module();
    let image = module.image();
    let Some(pack) = pack_of(image) else { return };
    if let Some(number) = pack.number_of(image, module) {
        let found = pack.index.find(number, function.index());
        if let Some(Found { group, .. }) = found {
            pack.bind_group(image, group);
        }
        if found.is_none_or(|found| found.offset.is_none()) {
            bind_ahead::bind_inline(pack, function, number);
        }
    }
}

/// Binds the first group that the pack of the executable has, before the program begins: it has what an earlier run needed
/// first, so most often `main`, whose first call would bind it from a stack of its own. Whether it was bound. The caller is
/// within a fork guard.
pub fn bind_first(image: &'static Image) -> bool {
    let pack = if baseline::is_alone() { None } else { pack_of(image) };
    pack.is_some_and(|pack| pack.bind_group(image, 0))
}

/// Gives a function that was just named its code, if the group that it is in is bound: most functions of a group are
/// never named, so nothing is made for them when it is. The name is noted before the group is looked at, and a group
/// before the names of its functions are (both SeqCst): the one or the other is seen.
fn introduce(function: &'static Function) {
    let module = function.module();
    let image = module.image();
    if let Some(pack) = opened_pack(image)
        && let Some(number) = pack.number_of(image, module)
    {
        bind_ahead::adopt_stub(pack, image, function);
        let Some(found) = pack.index.find(number, function.index()) else { return };
        let Some(offset) = found.offset else { return };
        if pack.texts[found.group].load(SeqCst) != 0 && function.claim() {
            pack.publish(function, &found, offset);
        }
    }
}

/// Whether the pack of an image is to be written again because the image is another now.
pub fn is_stale() -> bool {
    image::all().filter_map(opened_pack).any(|pack| pack.is_stale.load(Relaxed))
}

/// The stub that a function's image pack has for it.
fn stub_of(function: &Function) -> Option<(usize, &'static Slot)> {
    let image = function.module().image();
    bind_ahead::stub_of(opened_pack(image)?, image, function)
}

/// How many functions of the image have code that nothing has named.
pub fn unnamed(image: &'static Image) -> usize {
    let Some(pack) = opened_pack(image) else { return 0 };
    let of_module = |number: u32| {
        let Some(module) = pack.module(image, number) else { return 0 };
        let functions = pack.index.functions(number);
        functions.filter(|(index, group)| pack.is_unnamed(module, *index, *group)).count()
    };
    (0..pack.index.len() as u32).map(of_module).sum()
}

/// Binds everything that the image's pack has.
pub fn bind_all(image: &'static Image) {
    if let Some(pack) = pack_of(image) {
        for group in 0..pack.index.groups.len() {
            pack.bind_group(image, group);
        }
    }
}

/// Whether images may have packs; not where calls are to pass stubs, as those in one lead to code.
fn may_have_any() -> bool {
    !options::calls_pass_stubs()
}

/// Whether code of so many modules is worth the first pack of an image, wherever it came from.
fn is_worth_one(image: &Image, modules: usize) -> bool {
    image.module_count() >= MODULES && modules >= FIRST_MODULES
}

fn open(image: &Image) -> Option<ImagePack> {
    if !may_have_any() {
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
    let content = match directory.map_checked(&key, Kind::Image, image_pack::pages_are_good) {
        Ok(Some(content)) => content,
        Ok(None) => {
            unusable(&"its pages are damaged");
            directory.remove(&key, Kind::Image);
            return None;
        }
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
    let ahead = index.ahead.map(|summary| {
        let tables = summary.tables..summary.tables + summary.tables_len;
        Ahead { summary, tables: take(&tables), pages: take(&summary.pages()) }
    });
    let modules = (0..index.len()).map(|_| AtomicUsize::new(UNKNOWN)).collect();
    let (numbers, positions) = (OnceLock::new(), OnceLock::new());
    let [texts, data] = [(); 2].map(|()| index.groups.iter().map(|_| AtomicUsize::new(0)).collect());
    let packs_len = index.groups.iter().map(|group| group.pack.len()).sum();
    let (packs, ahead, is_stale) = (Lock::new(bytes), Lock::new(ahead), AtomicBool::new(false));
    let (stubs, references) = (OnceLock::new(), index.groups.iter().map(|_| OnceLock::new()).collect());
    Some(ImagePack {
        stubs,
        references,
        key,
        index,
        packs_len,
        texts,
        data,
        packs,
        ahead,
        is_stale,
        lines,
        modules,
        numbers,
        positions,
    })
}

/// The modules of an image by key.
fn positions(image: &'static Image) -> BTreeMap<&'static Key, u32> {
    image.modules().zip(0..).map(|(module, position)| (&module.record().key, position)).collect()
}

impl ImagePack {
    /// The pack's number of a module.
    fn number_of(&self, image: &Image, module: &Module) -> Option<u32> {
        let key = &module.record().key;
        let at_position = self.index.module_at(image.position_of(module));
        let is_it = |number: &u32| self.index.module(*number).is_some_and(|(it, _)| it == key);
        at_position.filter(is_it).or_else(|| {
            let all =
                || (0..self.index.len() as u32).map(|number| Some((self.index.module(number)?.0, number)));
            self.numbers.get_or_init(|| all().flatten().collect()).get(key).copied()
        })
    }

    /// Where in the image the module of a number is, if it is still there.
    fn position_of(&self, image: &'static Image, number: u32) -> Option<u32> {
        let (key, position) = self.index.module(number)?;
        let is_it = image.module(position as usize).is_some_and(|module| module.record().key == *key);
        if is_it { Some(position) } else { self.positions.get_or_init(|| positions(image)).get(key).copied() }
    }

    /// The module of a number, if the image still has it.
    fn module(&self, image: &'static Image, number: u32) -> Option<&'static Module> {
        let known = self.modules.get(number as usize)?;
        let mut module = known.load(Relaxed);
        if module == UNKNOWN {
            let position = self.position_of(image, number);
            let found = position.and_then(|position| image.module(position as usize));
            module = found.map_or(GONE, |module| std::ptr::from_ref(module) as usize);
            known.store(module, Relaxed);
        }
        // SAFETY: the address of a module, which lives for ever.
        (module != GONE).then(|| unsafe { &*(module as *const Module) })
    }

    /// Whether a function has code of a group, and nothing has named it.
    fn is_unnamed(&self, module: &Module, index: u32, group: usize) -> bool {
        self.texts[group].load(SeqCst) != 0 && module.named_function(index).is_none()
    }

    /// Notes where the code of a group is, to which threads may be led from now on.
    fn note_code(&self, group: usize, code: &Code) {
        self.data[group].store(code.segments[Segment::Data as usize], SeqCst);
        self.texts[group].store(code.text.start, SeqCst);
    }

    /// Gives a function, which the calling thread owns, its code of a group that is bound, at an offset in its text.
    fn publish(&self, function: &'static Function, found: &Found, offset: u32) {
        let [text, data] = [&self.texts, &self.data].map(|all| all[found.group].load(SeqCst));
        Claim { function, offset, counters: found.counters }.publish(text, data);
    }

    /// The references of a group, which are read when they are first asked for: code that was linked ahead does without.
    fn references(&self, group: usize) -> Option<References<'static>> {
        *self.references.get(group)?.get_or_init(|| self.index.references(group).ok())
    }

    /// Whose the numbers of a group are: the module and the index in it.
    fn whose(
        &'static self,
        image: &'static Image,
        group: usize,
    ) -> impl Fn(u32) -> Option<(&'static Module, u32)> + Copy + Send + Sync + 'static {
        move |number| {
            let reference = self.references(group)?.get(number)?;
            Some((self.module(image, reference.module)?, reference.index))
        }
    }

    /// Has counters of a group begin whose code is complete. Its functions are read in its pack when one has run out; that may
    /// not have been checked, but the index was.
    fn begin_counting(&'static self, image: &'static Image, group: usize, pack: &'static [u8], code: &Code) {
        let Some(functions) = pack::functions(pack) else { return };
        let whose = self.whose(image, group);
        let whose = move |number, definition: &UnitFunction<'_>| {
            let reference = self.references(group)?.get(number)?;
            let found = self.index.find(reference.module, reference.index)?;
            let is_it = found.counters == definition.counters.map(|it| it.offset);
            // What another group has newer code of goes on in that.
            (is_it || found.group != group).then(|| whose(number))?
        };
        // SAFETY: counters are where the unit has them; the code is the image's.
        unsafe { counted::begin_kept(image, code, functions, Box::new(whose)) };
    }

    /// Binds a group, once. Other threads that want to have one of the image wait. Whether functions were bound.
    fn bind_group(&'static self, image: &'static Image, group: usize) -> bool {
        let mut packs = self.packs.lock();
        if self.bind_ahead(image, &mut packs) {
            return true;
        }
        let Some(bytes) = packs.get_mut(group).and_then(Option::take) else { return false };
        self.bind_bytes(image, group, bytes).unwrap_or_else(|error| {
            let Some(directory) = cache::directory() else { return 0 };
            let name = image.name();
            log::debug!(
                "group {group} of the image pack of {name} in the cache {}: {error}",
                path(directory)
            );
            if matches!(error, LinkError::Object(_)) {
                directory.remove(&self.key, Kind::Image);
            }
            0
        }) > 0
    }

    /// Binds all groups as they were linked ahead, if that was not tried. Whether it was done.
    fn bind_ahead(&'static self, image: &'static Image, packs: &mut [Option<&'static mut [u8]>]) -> bool {
        let Some(ahead) = self.ahead.lock().take() else { return false };
        match bind_ahead::bind(self, image, ahead, packs) {
            Ok(bound) => {
                stats::COUNTERS.from_cache.add(bound as u64);
                log::debug!("{bound} functions of {} run in pages of its image pack", image.name());
                true
            }
            Err(refusal) => {
                let (cause, is_stale) = match refusal {
                    Refusal::Image(cause) => (cause.to_owned(), true),
                    Refusal::Process(cause) => (cause, false),
                };
                self.is_stale.store(is_stale, Relaxed);
                log::debug!("the image pack of {} has to be linked: {cause}", image.name());
                false
            }
        }
    }

    /// What describes the lines of a group, whose pack has the bytes `code`. None if those belong to other code.
    fn lines_of(
        &'static self,
        image: &'static Image,
        group: usize,
        code: &'static [u8],
    ) -> Option<lines::Lines> {
        let function = self.whose(image, group);
        let functions = (baseline::code() != BaselineCode::None)
            .then(|| baseline::lines::of_pack(code, self.key, function));
        Some(lines::Lines::Kept(self.kept_lines(group, code)?, functions))
    }

    /// The lines of a group that are in the file. None if they belong to other code.
    fn kept_lines(&self, group: usize, pack: &[u8]) -> Option<Option<KeptLines>> {
        let (content, key) = (self.lines[group], self.key);
        let Some(generation) = pack::generation(pack) else { return Some(None) };
        let damaged = cache::remove_lines;
        let kept = KeptLines { content, key, generation, with: Kind::Image, damaged };
        pack::are_lines_of(content, &key, generation).then_some(Some(kept))
    }

    fn bind_bytes(
        &'static self,
        image: &'static Image,
        group: usize,
        bytes: &'static mut [u8],
    ) -> Result<usize, LinkError> {
        let damaged = |error: pack::PackError| LinkError::Object(error.to_string());
        let references = self.index.references(group).map_err(damaged)?;
        if let Some(len) = pack::code_len(bytes).filter(|len| *len > FAULT_AROUND) {
            sys::want(&bytes[..len]);
        }
        let description = pack::check(bytes, &self.key).map_err(damaged)?;
        let kept = self.kept_lines(group, bytes);
        let kept = kept.ok_or_else(|| LinkError::Object("its lines belong to other code".into()))?;
        let (code, description) = bytes.split_at_mut(description);
        let unit = pack::decode_checked(code).map_err(damaged)?;
        let function = self.whose(image, group);
        let functions =
            (baseline::code() != BaselineCode::None).then(|| baseline::lines::of_functions(&unit, function));
        let lines = lines::Lines::Kept(kept, functions);
        let mut names = Names::new(self, image, references);
        names.look_up_imports().map_err(|what| LinkError::Object(what.into()))?;
        let Definitions { mut claimed, unnamed } = names.claim(&unit);
        if claimed.functions.is_empty() && unnamed.is_empty() {
            return Ok(0);
        }
        let memory = image.memory();
        memory.expect(self.packs_len / 2);
        let linked = link(&unit, memory, &mut names)?;
        let publish_unnamed = |complete: &Code| {
            self.note_code(group, complete);
            unnamed.iter().for_each(|unnamed| unnamed.publish(complete));
            unnamed.len()
        };
        let ready = |complete: &Code| {
            if baseline::code() == BaselineCode::Counted {
                self.begin_counting(image, group, code, complete);
            }
        };
        let publication = Publication {
            ready: &ready,
            claimed: &claimed.functions,
            unnamed: &publish_unnamed,
            description: (description, unit.functions.len()),
            lines,
            objects: &[],
        };
        let bound = publish(image.first_module(), memory, linked, publication)?;
        claimed.are_ready = true;
        stats::COUNTERS.from_cache.add(bound as u64);
        log::debug!("{bound} functions of {} came from its image pack", image.name());
        Ok(bound)
    }
}
