//! Preparing an image for the debugger that has started the program: all of its modules get code that is described in full,
//! before anything of them runs, so that breakpoints, types and variables are known at once.
//!
//! Receives a registered image; hands on nothing: its modules are published. What the object cache has of a module is
//! bound. The rest is compiled in parts (whole.rs), by this process and helpers, copies of it that leave code in the
//! cache; and if that takes long, another helper says so.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use autojit_generator::{Made, orc};
use autojit_sys::{Helper, sleep_for};

use crate::compile::cache;
use crate::compile::compiler::Compiler;
use crate::compile::whole::Whole;
use crate::link::debugger;
use crate::program::image::Image;
use crate::settings::failure::Failure;
use crate::settings::log as messages;
use crate::sys;

/// How long it may take without a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked at what the helpers have done.
const STEP: Duration = Duration::from_millis(2);
/// Helpers at most: each may need as much memory as a compiler.
const HELPERS: usize = 7;

/// Makes the image's functions ready. What cannot be had now is compiled when it is called, or fails then.
pub fn prepare(image: &'static Image) {
    image.prepare();
    let _one_file = debugger::gather(image);
    // In the order of the modules, which settles where an inline function is defined.
    let missing: Vec<Pending> = image
        .modules()
        .filter_map(|module| {
            let whole = Whole::of(module).map_err(|failure| tell(&module.source(), &failure)).ok()?;
            Pending::of(whole)
        })
        .collect();
    if missing.is_empty() {
        return;
    }
    let name = debugger::tracer().unwrap_or_else(|| b"a debugger".to_vec());
    let _announcer = announce(missing.iter().map(Pending::len).sum(), &name);
    match Compiler::choose() {
        Ok(Compiler::Engine(engine)) => compile(engine, missing),
        Ok(compiler @ Compiler::Daemon) => {
            for Pending { whole, .. } in missing {
                whole.compile_in_one(compiler).unwrap_or_else(|failure| tell(&whole.source(), &failure));
            }
        }
        Err(failure) => tell("the program", &failure),
    }
}

fn tell(source: &str, failure: &Failure) {
    log::info!("{source} is not described to the debugger: {failure}");
}

/// A module that lacks the code of some parts.
struct Pending {
    whole: Whole,
    /// By part.
    parts: Vec<Option<Made>>,
}

impl Pending {
    /// The module. None if it has been published, or has nothing.
    fn of(whole: Whole) -> Option<Self> {
        if whole.len() == 0 {
            return None;
        }
        let one = if whole.parts() == 1 { None } else { whole.kept_in_one().map(|made| vec![Some(made)]) };
        let parts = one.unwrap_or_else(|| (0..whole.parts()).map(|part| whole.kept(part)).collect());
        let pending = Self { whole, parts };
        if pending.missing().next().is_some() {
            return Some(pending);
        }
        pending.publish();
        None
    }

    /// The parts without code.
    fn missing(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().enumerate().filter(|(_, made)| made.is_none()).map(|(part, _)| part)
    }

    /// How many functions are in these.
    fn len(&self) -> usize {
        self.missing().map(|part| self.whole.part_len(part)).sum()
    }

    /// Compiles a part.
    fn compile(&mut self, engine: orc::Engine, part: usize) {
        match self.whole.compile(engine, part) {
            Ok(made) => self.parts[part] = made,
            Err(failure) => tell(&self.whole.source(), &failure),
        }
    }

    fn publish(self) {
        let Self { whole, parts } = self;
        let result = whole.publish(&parts.into_iter().flatten().collect::<Vec<_>>());
        result.unwrap_or_else(|failure| tell(&whole.source(), &failure));
    }
}

/// Compiles and publishes modules with the engine.
fn compile(engine: orc::Engine, mut missing: Vec<Pending>) {
    let items: Vec<(usize, usize)> = (missing.iter().enumerate())
        .flat_map(|(module, pending)| pending.missing().map(move |part| (module, part)))
        .collect();
    let shares = Shares::of(items.len());
    let helpers = shares.as_ref().map_or(Vec::new(), |shares| help(engine, &missing, &items, shares));
    let mut left = Vec::new();
    for (item, &(module, part)) in items.iter().enumerate() {
        match &shares {
            Some(shares) if !shares.take(item, OWN) => left.push(item),
            _ => missing[module].compile(engine, part),
        }
    }
    for item in left {
        let (module, part) = items[item];
        let shares = shares.as_ref().expect("it was taken by a helper");
        while let Some(helper) = shares.helper_at(item)
            && helpers[helper].is_running()
        {
            sleep_for(STEP);
        }
        match missing[module].whole.kept(part) {
            Some(made) => missing[module].parts[part] = Some(made),
            // What has failed there fails here again, and is told.
            None => missing[module].compile(engine, part),
        }
    }
    missing.into_iter().for_each(Pending::publish);
}

/// Says after a while what takes so long, until it is dropped.
fn announce(functions: usize, debugger: &[u8]) -> Option<Helper> {
    if log::max_level() < log::LevelFilter::Warn {
        return None;
    }
    let name = String::from_utf8_lossy(debugger.trim_ascii()).into_owned();
    let work = || {
        sleep_for(PATIENCE);
        messages::message(format_args!("preparing {functions} functions for {name}"));
    };
    // SAFETY: sleeping and writing take no locks.
    unsafe { Helper::start(work) }.ok()
}

/// Has a helper on each other processor compile from the end of the list.
fn help(engine: orc::Engine, missing: &[Pending], items: &[(usize, usize)], shares: &Shares) -> Vec<Helper> {
    let count = (sys::processors() - 1).min(items.len() - 1).min(HELPERS);
    let start = |number: usize| {
        let work = || {
            for (item, &(module, part)) in items.iter().enumerate().rev() {
                if shares.take(item, number as u32) {
                    let _ = missing[module].whole.compile(engine, part);
                    shares.done(item);
                }
            }
        };
        // SAFETY: this is the only thread (Shares::of), and holds no locks that the work takes. What it changes is its own
        // copy, the files of the cache, which appear whole, and the shares.
        unsafe { Helper::start(work) }.ok()
    };
    (0..count).map_while(start).collect()
}

/// Which process compiles which item.
struct Shares(&'static [AtomicU32]);

const FREE: u32 = 0;
/// The item is there, or its process has given it up.
const DONE: u32 = u32::MAX;
/// The number of this process; helpers count from 0.
const OWN: u32 = u32::MAX - 2;

impl Shares {
    /// Shares of so many items. None if helpers would be of no use.
    fn of(items: usize) -> Option<Self> {
        let size = (items * size_of::<AtomicU32>()).next_multiple_of(4096);
        if items < 2 || !debugger::is_only_thread() || !cache::is_used() {
            return None;
        }
        let pages = sys::map_shared_pages(size).ok()?;
        // SAFETY: fresh zeroed pages, unmapped on drop.
        Some(Self(unsafe { std::slice::from_raw_parts(pages.cast(), items) }))
    }

    /// Makes an item that of a process, unless it is another's.
    fn take(&self, item: usize, process: u32) -> bool {
        self.0[item].compare_exchange(FREE, process + 1, SeqCst, SeqCst).is_ok()
    }

    fn done(&self, item: usize) {
        self.0[item].store(DONE, SeqCst);
    }

    /// The helper that is at work on an item.
    fn helper_at(&self, item: usize) -> Option<usize> {
        let word = self.0[item].load(SeqCst);
        (word != FREE && word <= OWN).then(|| word as usize - 1)
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        let size = size_of_val(self.0).next_multiple_of(4096);
        // SAFETY: mapped in `of`; the slice is not used any more.
        unsafe { sys::unmap_pages(self.0.as_ptr() as usize, size) };
    }
}
