//! The object cache: what was compiled is kept, and later runs bind it without the engine.
//!
//! Receives the units that this process compiled ([`keep`]), writes them at the end of the process, or when it has had
//! some for a while ([`flush`]); binds what is there when a module is first entered ([`bind`]). One file for each module
//! and everything that its code depends on ([`key_of`]); docs/cache-format.md describes it.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autojit_abi::{BASELINE, GENERATOR};
use autojit_cache::{Directory, Kind, Pending, Writer};
use autojit_code::lock::{ForkLock, Lock};
use autojit_code::pack::{self, Key};
use autojit_code::{Code, LinkError, Symbol, Unit, bundle, link, unit};
use autojit_generator::{Id, Made};
use autojit_store::{Container, FunctionKind};

use crate::compile::image_cache::{self, Noted};
use crate::compile::modules;
use crate::compile::{baseline, counted};
use crate::link::kept_lines::KeptLines;
use crate::link::lines;
use crate::link::publish::{Claim, Publication, publish};
use crate::program::function::{Function, State};
use crate::program::module::Module;
use crate::program::symbols::{self, Names};
use crate::settings::options::{self, Options};
use crate::settings::stats;
use crate::sys;

/// How long compiled code may wait to be written while the program runs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The directory that the options ask for.
static DIRECTORY: OnceLock<Option<Directory>> = OnceLock::new();

/// Notes where the cache is, once. Nothing is opened yet.
pub fn begin(options: &Options) {
    DIRECTORY.get_or_init(|| {
        if options.disable_object_cache {
            return None;
        }
        let directory =
            Directory::locate(options.cache_dir.as_deref(), options::variable, options.cache_size.0);
        if directory.is_none() {
            log::debug!("no object cache: neither AUTOJIT_CACHE_DIR nor XDG_CACHE_HOME nor HOME is set");
        }
        directory
    });
}

/// The directory that the options ask for, in use or not.
///
/// # Panics
/// If the runtime has not started.
pub fn configured() -> Option<&'static Directory> {
    DIRECTORY.get().expect("an image has registered").as_ref()
}

/// Whether the process has left its files.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// From now on nothing is read or written: the process will see other files, or none, or as another user.
pub fn close() {
    CLOSED.store(true, Ordering::Relaxed);
}

/// The directory, if there is one in use.
pub fn directory() -> Option<&'static Directory> {
    configured().filter(|_| !CLOSED.load(Ordering::Relaxed))
}

/// Its path, for messages.
pub fn path(directory: &Directory) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(directory.path())
}

/// The key of what a generator makes of a module.
fn key_of(generator: &Id, module: &Module) -> Key {
    let key = autojit_cache::key_of(generator, &module.record().key, options::opt_override());
    // In other files than those of other processes, calls of functions that only their own module can name are bound.
    if options::calls_pass_stubs() { autojit_store::digest(&[b"autojit stubs", &key]) } else { key }
}

/// The key of what the baseline compiler makes of a module that is to be optimised, whose optimised code has another one. It
/// has copies of functions that are defined elsewhere, if they are.
fn counted_key_of(module: &Module, optimised: &Key, container: &Container<'_>) -> Key {
    let key = autojit_cache::counted_key_of(optimised);
    let mut missing =
        (0..container.import_count()).filter(|import| module.import(*import) == Some(0)).peekable();
    if missing.peek().is_none() {
        return key;
    }
    let missing: Vec<u8> = missing.flat_map(u32::to_le_bytes).collect();
    autojit_store::digest(&[b"autojit missing", &key, &missing])
}

/// Whether code of a unit counts that better code has replaced meanwhile: later runs begin with that.
fn is_outdated(module: &'static Module, unit: &Unit<'_>) -> bool {
    unit.functions.iter().filter(|function| function.global).all(|function| match function.symbol {
        Symbol::Function(index) => {
            function.counters.is_some() && module.named_function(index).is_some_and(Function::has_better)
        }
        _ => false,
    })
}

/// Code that waits to be written, with its description.
struct Source {
    module: &'static Module,
    /// When each unit of it came.
    times: Vec<u64>,
}

struct Waiting {
    modules: Writer<Source>,
    /// How much code came, as it were a clock.
    count: u64,
    since: Duration,
    /// What may become part of an image pack.
    noted: Vec<Noted>,
    /// How long that waits, from when.
    packs_wait: Duration,
    packs_since: Duration,
}

/// Whether anything ever waited.
static NEWS: AtomicBool = AtomicBool::new(false);

impl Waiting {
    /// The time at which code comes.
    fn tick(&mut self) -> u64 {
        NEWS.store(true, Ordering::Relaxed);
        self.count += 1;
        self.count
    }

    /// Whether image packs are to be written while the program runs. Each time makes a group of its own, so it is done
    /// less and less often.
    fn packs_are_due(&mut self) -> bool {
        let now = sys::monotonic_time();
        if self.packs_since == Duration::ZERO {
            self.packs_since = now;
        }
        let due = now - self.packs_since > self.packs_wait;
        if due {
            self.packs_since = now;
            self.packs_wait *= 2;
        }
        due
    }
}

static WAITING: Lock<Waiting> = Lock::new(Waiting {
    modules: Writer::new(),
    count: 0,
    since: Duration::ZERO,
    noted: Vec::new(),
    packs_wait: PATIENCE.saturating_mul(2),
    packs_since: Duration::ZERO,
});

/// Keeps a unit of code that a generator has made, and this process has published. `new`: nothing else writes it to the file
/// of its module.
pub fn keep(module: &'static Module, generator: &Id, unit: Unit<'static>, new: bool) {
    if directory().is_none() {
        return;
    }
    let Some(opened) = module.opened() else { return };
    if !new {
        return note(module, unit, None);
    }
    let local = match options::calls_pass_stubs() {
        true => BTreeSet::new(),
        false => autojit_cache::local_functions(&opened.container, &unit),
    };
    let key = match *generator {
        BASELINE if baseline::counts(module) => {
            counted_key_of(module, &key_of(&GENERATOR, module), &opened.container)
        }
        _ => key_of(generator, module),
    };
    let mut waiting = WAITING.lock();
    if waiting.modules.is_empty() {
        waiting.since = sys::monotonic_time();
    }
    let time = waiting.tick();
    waiting.modules.add(key, unit, local, || Source { module, times: Vec::new() }).times.push(time);
}

/// Keeps what may become part of an image pack. `kept`: see [`Noted`].
fn note(module: &'static Module, unit: Unit<'static>, kept: Option<(usize, Option<KeptLines>)>) {
    let mut waiting = WAITING.lock();
    let time = waiting.tick();
    waiting.noted.push(Noted { module, unit, time, kept });
}

/// Whether the process has had code that may be written. Takes no lock.
pub fn has_news() -> bool {
    NEWS.load(Ordering::Relaxed) || image_cache::is_stale()
}

/// Writes what waits, if it has waited for long enough: the program may never come to its end.
pub fn flush_if_due() {
    let due = {
        let waiting = WAITING.lock();
        !waiting.modules.is_empty() && sys::monotonic_time() - waiting.since > PATIENCE
    };
    if due {
        write(false);
    }
}

/// Writes what waits. The caller has a fork guard.
pub fn flush() {
    write(true);
}

fn write(last: bool) {
    let Some(directory) = directory() else { return };
    let (mut modules, mut noted, packs) = {
        let mut waiting = WAITING.lock();
        let packs = last || waiting.packs_are_due();
        (waiting.modules.take(), std::mem::take(&mut waiting.noted), packs)
    };
    modules.retain(|Source { module, times }, units| {
        let wanted: Vec<bool> = units.iter().map(|unit| !is_outdated(module, unit)).collect();
        let mut next = wanted.iter();
        times.retain(|_| next.next() == Some(&true));
        wanted
    });
    modules.write(directory, |Pending { of: Source { module, times }, units, .. }, written| {
        match written {
            Ok(functions) => stats::COUNTERS.cached.add(functions),
            Err(error) => log::debug!("writing to the cache {}: {error}", path(directory)),
        }
        let units = units.into_iter().zip(times);
        noted.extend(units.map(|(unit, time)| Noted { module, unit, time, kept: None }));
    });
    let mut rest = if packs { image_cache::write(directory, noted) } else { noted };
    let mut waiting = WAITING.lock();
    rest.append(&mut waiting.noted);
    waiting.noted = rest;
}

/// Binds everything that the cache has of a module. Called once for each.
pub fn bind(module: &'static Module) {
    let Some(directory) = directory() else { return };
    // What autojitd has compiled ahead is there even if first calls are not compiled by the engine.
    let optimised = key_of(&GENERATOR, module);
    bind_file(module, directory, &GENERATOR, optimised);
    if !baseline::serves(module) {
        return;
    }
    match module.opened() {
        Some(opened) if baseline::counts(module) => {
            let key = counted_key_of(module, &optimised, &opened.container);
            bind_file(module, directory, &BASELINE, key);
        }
        _ => bind_file(module, directory, &BASELINE, key_of(&BASELINE, module)),
    }
}

/// Binds what a generator has made of a module, in the file of `key`.
fn bind_file(module: &'static Module, directory: &Directory, generator: &Id, key: Key) {
    let content = match directory.map_changeable(&key, Kind::Code) {
        Ok(content) => content,
        Err(sys::Errno(libc::ENOENT)) => return,
        Err(error) => {
            let path = path(directory);
            log::debug!("reading the code of {} from the cache {path}: {error}", module.source());
            return;
        }
    };
    stats::COUNTERS.cache_files.add(1);
    let damaged = |error: &dyn std::fmt::Display| {
        let path = path(directory);
        log::debug!("the code of {} in the cache {path} is not usable: {error}", module.source());
        directory.remove(&key, Kind::Code);
    };
    if let Some(len) = pack::code_len(&content) {
        content.want(len);
    }
    let description = match pack::check(&content, &key) {
        Ok(description) => description,
        Err(error) => {
            damaged(&error);
            return;
        }
    };
    let lines = match pack::generation(&content).map(|generation| lines_of(directory, key, generation)) {
        None => None,
        Some(Ok(kept)) => Some(kept),
        Some(Err(error)) => {
            let path = path(directory);
            log::debug!("the lines of {} in the cache {path} are not usable: {error}", module.source());
            return;
        }
    };
    // Names and unwind tables of the code are read in it as long as the code is there.
    let (code, description) = content.leak().split_at_mut(description);
    let code: &'static [u8] = code;
    let unit = match pack::decode_checked(code) {
        Ok(unit) => unit,
        Err(error) => {
            damaged(&error);
            return;
        }
    };
    let mut claimed = Claimed::of(module, &unit);
    if claimed.functions.is_empty() {
        return;
    }
    let described = match *generator {
        BASELINE => baseline::lines::later(module, &unit),
        _ => lines::Lines::Kept(lines, None),
    };
    match claimed.publish(module, &unit, description, described) {
        Ok(bound) => {
            log::debug!("{bound} functions of {} came from the cache", module.source());
            let Claim { function, offset, .. } = claimed.functions[0];
            let text = function.code().expect("it was published") - offset as usize;
            note(module, unit, Some((text, lines)));
        }
        Err(error @ LinkError::Object(_)) => damaged(&error),
        // As if they were not there.
        Err(error) => log::debug!("the code of {} in the cache: {error}", module.source()),
    }
}

/// Binds what the cache has of modules that hold the same inline function as `root`, until that has code: which module
/// an earlier run has compiled it of depends on the order of calls.
pub fn bind_copies(root: &'static Function) {
    // In a first run there is nothing to be found.
    if directory().is_none() || stats::COUNTERS.from_cache.get() == 0 || root.kind().0 != FunctionKind::Inline
    {
        return;
    }
    let name = root.info().name;
    for module in root.module().image().modules().filter(|module| !modules::is_bound(module)) {
        let Ok(opened) = module.open() else { continue };
        let Some(autojit_store::Symbol::Function(index)) = opened.container.find(name) else { continue };
        if let Some(copy) = module.function(index) {
            image_cache::bind(copy);
        }
        if root.state() == State::Cold {
            modules::bind_cached(module);
        }
        if root.state() != State::Cold {
            return;
        }
    }
}

/// Functions that this thread owns until they are published; if they are not, they become cold again on drop.
pub struct Claimed {
    /// The functions, and where their code is in the unit.
    pub functions: Vec<Claim>,
    /// They were published.
    pub are_ready: bool,
    /// By number in the unit, whether its definition serves one of them.
    pub serves: Vec<bool>,
}

impl Claimed {
    /// The functions that code of `unit` is for, as far as they are cold, or it is better than theirs. Inline ones may be another module's, which has
    /// named them first: code of any module will do.
    fn of(module: &'static Module, unit: &Unit<'_>) -> Self {
        let mut all = Self {
            functions: Vec::with_capacity(unit.functions.len()),
            are_ready: false,
            serves: vec![false; module.function_count()],
        };
        let globals = unit.functions.iter().filter(|function| function.global);
        let named = globals.filter_map(|definition| match definition.symbol {
            Symbol::Function(index) => Some((module.function(index)?, definition)),
            _ => None,
        });
        // All are named before they learn their slots.
        let named: Vec<_> = named.collect();
        module.image().adopt_slots(module);
        for (function, definition) in named {
            let is_better = |claimed: &Function| definition.counters.is_none() && claimed.claim_replacement();
            let served = symbols::served(function);
            if let Some(claimed) = served.filter(|claimed| claimed.claim() || is_better(claimed)) {
                all.functions.push(Claim::of(claimed, &definition));
                all.serves[function.index() as usize] = true;
            }
        }
        all
    }

    fn publish(
        &mut self,
        module: &'static Module,
        unit: &Unit<'static>,
        description: &'static mut [u8],
        lines: lines::Lines,
    ) -> Result<usize, LinkError> {
        let memory = module.image().memory();
        let owned = |function: &'static Function| {
            // With a stub, it may be another image's definition that calls lead to.
            let own = || function.kind().0 != FunctionKind::Stub || symbols::is_chosen(function);
            self.serves[function.index() as usize] && own()
        };
        let mut names = Names { module, owned: &owned };
        let linked = link(unit, memory, &mut names)?;
        let ready = |code: &Code| {
            if unit.functions.iter().any(|function| function.counters.is_some()) {
                let whose = Box::new(move |index, _: &unit::Function<'_>| Some((module, index)));
                // SAFETY: counters are where the unit has them; the code is the image's.
                unsafe { counted::begin_kept(module.image(), code, unit.functions.clone(), whose) };
            }
        };
        let publication = Publication {
            ready: &ready,
            claimed: &self.functions,
            unnamed: &|_| 0,
            description: (description, unit.functions.len()),
            lines,
            objects: &[],
        };
        let published = publish(module, memory, linked, publication)?;
        self.are_ready = true;
        stats::COUNTERS.from_cache.add(published as u64);
        Ok(published)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if self.are_ready {
            return;
        }
        for Claim { function, .. } in self.functions.drain(..) {
            match function.code() {
                None => function.unclaim(),
                Some(_) => function.unclaim_replacement(),
            }
        }
    }
}

/// The lines of a module's own file.
fn lines_of(directory: &Directory, key: Key, generation: u64) -> Result<KeptLines, String> {
    let content = directory.map(&key, Kind::Lines).map_err(|error| error.to_string())?;
    if !pack::are_lines_of(&content, &key, generation) {
        return Err("they belong to other code".into());
    }
    stats::COUNTERS.cache_files.add(1);
    let (content, with) = (content.leak(), Kind::Code);
    Ok(KeptLines { content, key, generation, with, damaged: remove_lines })
}

/// Removes damaged lines and their code, for the next run to make both.
pub fn remove_lines(lines: &KeptLines) {
    log::debug!("lines of compiled code in the cache are damaged");
    if let Some(directory) = directory() {
        directory.remove(&lines.key, lines.with);
        if lines.with == Kind::Code {
            directory.remove(&lines.key, Kind::Lines);
        }
    }
}

/// The key of the code of a whole module that defines `functions`: which these are depends on the image.
fn key_of_described(module: &Module, functions: &[bool]) -> Key {
    let functions: Vec<u8> = functions.iter().map(|defined| u8::from(*defined)).collect();
    autojit_store::digest(&[b"autojit described, bundled", &key_of(&GENERATOR, module), &functions])
}

/// The code of a whole module that defines `functions` and describes everything to debuggers. Its bytes stay.
pub fn described(module: &Module, functions: &[bool]) -> Option<Made> {
    let directory = directory()?;
    let key = key_of_described(module, functions);
    let content = directory.map(&key, Kind::Described).ok()?.leak();
    match bundle::decode(content, &key) {
        Ok(unit) => Some(Made { unit, kept: true, mapped: Some(content) }),
        Err(error) => {
            log::debug!("the description of {} in the cache is not usable: {error}", module.source());
            directory.remove(&key, Kind::Described);
            None
        }
    }
}

/// Keeps such code for later starts under a debugger.
pub fn keep_described(module: &Module, functions: &[bool], unit: &Unit<'_>) {
    let Some(directory) = directory() else { return };
    let key = key_of_described(module, functions);
    if let Err(error) = directory.write(&key, &[(Kind::Described, &bundle::encode(unit, &key))]) {
        log::debug!("keeping the description of {}: {error}", module.source());
    }
}

/// Whether there is a cache.
pub fn is_used() -> bool {
    directory().is_some()
}

/// A fork waits until nothing is being added.
pub static FORK_LOCK: &dyn ForkLock = &WAITING;
