//! The object cache: what was compiled is kept, and later runs bind it without the engine.
//!
//! Receives the units that this process compiled ([`keep`]), writes them at the end of the process, or when it has had
//! some for a while ([`flush`]); binds what is there when a module is first entered ([`bind_optimised`], [`bind_rest`]). One file for each module
//! and everything that its code depends on ([`key_of`]); docs/cache-format.md describes it.

mod claimed;
mod waiting;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autojit_abi::{BASELINE, GENERATOR};
use autojit_cache::by_content::{self, Seeded};
use autojit_cache::{Directory, Kind};
use autojit_code::pack::{self, Key};
use autojit_code::{LinkError, Symbol, Unit, bundle};
use autojit_generator::{Id, Made};
use autojit_store::{Container, FunctionKind};

use crate::compile::baseline;
use crate::compile::image_cache;
use crate::compile::modules;
use crate::link::lines;
use crate::link::publish::Claim;
use crate::program::function::{Function, FunctionState};
use crate::program::module::Module;
use crate::settings::options::{self, Options};
use crate::settings::{stats, trace};
use crate::sys;

pub use claimed::{Claimed, remove_lines};
pub use waiting::{FORK_LOCK, flush, flush_if_due, has_news, keep, take_noted};

use claimed::lines_of;
use waiting::note;

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

/// Binds what the cache has of a module that LLVM has made. Called once for each.
pub fn bind_optimised(module: &'static Module) {
    let Some(directory) = directory() else { return };
    // What autojitd has compiled ahead is there even if first calls are not compiled by the engine.
    let optimised = key_of(&GENERATOR, module);
    if !bind_file(module, directory, &GENERATOR, optimised) && seed(module, directory) {
        bind_file(module, directory, &GENERATOR, optimised);
    }
}

/// Binds what the cache has of a module besides. Called once for each, behind [`bind_optimised`]: what is there serves what that lacks.
pub fn bind_rest(module: &'static Module) {
    let Some(directory) = directory().filter(|_| baseline::serves(module)) else { return };
    let optimised = key_of(&GENERATOR, module);
    match module.opened() {
        Some(opened) if baseline::counts(module) => {
            let key = counted_key_of(module, &optimised, &opened.container);
            bind_file(module, directory, &BASELINE, key);
        }
        _ => {
            bind_file(module, directory, &BASELINE, key_of(&BASELINE, module));
        }
    }
}

/// Makes a file of optimised code for a module that has none, if an earlier one of the same source had functions with the
/// same content. Whether there is one now.
fn seed(module: &'static Module, directory: &Directory) -> bool {
    let Some(opened) = module.opened().filter(|_| !options::calls_pass_stubs() && baseline::counts(module))
    else {
        return false;
    };
    let since = trace::begin();
    let found = by_content::seed(directory, &opened.container, options::opt_override());
    trace::note("look for code by content", since, || module.source().to_string());
    let Seeded { found, changed } = found.unwrap_or_else(|error| {
        log::debug!("writing to the cache {}: {error}", path(directory));
        Seeded::default()
    });
    stats::COUNTERS.same_content.add(found);
    changed.into_iter().filter_map(|index| module.function(index)).for_each(Function::expect_often);
    found > 0
}

/// Binds what a generator has made of a module, in the file of `key`. False if there is none.
fn bind_file(module: &'static Module, directory: &Directory, generator: &Id, key: Key) -> bool {
    let content = match directory.map_changeable(&key, Kind::Code) {
        Ok(content) => content,
        Err(sys::Errno(libc::ENOENT)) => return false,
        Err(error) => {
            let path = path(directory);
            log::debug!("reading the code of {} from the cache {path}: {error}", module.source());
            return true;
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
            return true;
        }
    };
    let lines = match pack::generation(&content).map(|generation| lines_of(directory, key, generation)) {
        None => None,
        Some(Ok(kept)) => Some(kept),
        Some(Err(error)) => {
            let path = path(directory);
            log::debug!("the lines of {} in the cache {path} are not usable: {error}", module.source());
            return true;
        }
    };
    // Names and unwind tables of the code are read in it as long as the code is there.
    let (code, description) = content.leak().split_at_mut(description);
    let code: &'static [u8] = code;
    let unit = match pack::decode_checked(code) {
        Ok(unit) => unit,
        Err(error) => {
            damaged(&error);
            return true;
        }
    };
    let mut claimed = Claimed::of(module, &unit);
    if claimed.functions.is_empty() {
        return true;
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
    true
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
    let copy = |module: &'static Module| match module.open().ok()?.container.find(name)? {
        autojit_store::Symbol::Function(index) => module.function(index),
        autojit_store::Symbol::Import(_) => None,
    };
    let copies = || {
        let unbound = |module: &&'static Module| !modules::is_bound(module);
        root.module().image().modules().filter(unbound).filter_map(copy)
    };
    // What has pages already costs nothing, while a file is copied.
    let ways: [fn(&'static Function); 2] = [image_cache::bind, |copy| modules::bind_cached(copy.module())];
    for bind in ways {
        for copy in copies() {
            bind(copy);
            if root.state() != FunctionState::Cold {
                return;
            }
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
