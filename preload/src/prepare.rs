//! Preparing an image for the debugger that has started the program: all of its modules get code that is described in full,
//! before anything of them runs, so that breakpoints, types and variables are known at once.
//!
//! Receives a registered image; hands on nothing: its modules are published. What the object cache has of a module is
//! bound. The rest is compiled, by this process and a helper, a copy of it that leaves objects in the cache; and if that
//! takes long, another helper says so.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use autojit_sys::{Helper, sleep_for};

use crate::compile::Whole;
use crate::compiler::Compiler;
use crate::failure::Failure;
use crate::image::Image;
use crate::{cache, debugger, log as messages, sys};

/// How long it may take without a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked at what the helper has done.
const STEP: Duration = Duration::from_millis(2);

/// Makes the image's functions ready. What cannot be had now is compiled when it is called, or fails then.
pub fn prepare(image: &'static Image) {
    image.prepare();
    let told = |result: Result<bool, Failure>, source: String| {
        result.unwrap_or_else(|failure| {
            log::info!("{source} is not described to the debugger: {failure}");
            false
        })
    };
    // In the order of the modules, which settles where an inline function is defined.
    let missing: Vec<Whole> = image
        .modules()
        .iter()
        .filter_map(|module| {
            let whole = Whole::of(module).map_err(|failure| told(Err(failure), module.source())).ok()?;
            let bound = whole.len() == 0 || told(whole.bind(), module.source());
            (!bound).then_some(whole)
        })
        .collect();
    if missing.is_empty() {
        return;
    }
    let name = debugger::tracer().unwrap_or_else(|| b"a debugger".to_vec());
    let _announcer = announce(&missing, &name);
    let shared = Shares::of(missing.len());
    let helper = shared.as_ref().and_then(|shares| help(&missing, shares));
    for (number, whole) in missing.iter().enumerate() {
        let mut result = Ok(false);
        if let (Some(shares), Some(helper)) = (&shared, &helper)
            && !shares.take(number)
        {
            while !shares.is_done(number) && helper.is_running() {
                sleep_for(STEP);
            }
            result = whole.bind();
        }
        if !matches!(result, Ok(true)) {
            result = whole.compile().map(|()| true);
        }
        told(result, whole.source());
    }
}

/// Says after a while what takes so long, until it is dropped.
fn announce(missing: &[Whole], debugger: &[u8]) -> Option<Helper> {
    if log::max_level() < log::LevelFilter::Warn {
        return None;
    }
    let functions: usize = missing.iter().map(Whole::len).sum();
    let name = String::from_utf8_lossy(debugger.trim_ascii()).into_owned();
    let work = || {
        sleep_for(PATIENCE);
        messages::message(format_args!("preparing {functions} functions for {name}"));
    };
    // SAFETY: sleeping and writing take no locks.
    unsafe { Helper::start(work) }.ok()
}

/// Has a helper compile from the end of the list. None if there is no way to.
fn help(missing: &[Whole], shares: &Shares) -> Option<Helper> {
    // The engine is loaded before, so that it is the same in both.
    let Ok(Compiler::Engine(api)) = Compiler::choose() else { return None };
    let work = || {
        for (number, whole) in missing.iter().enumerate().rev() {
            if !shares.take(number) {
                break;
            }
            // What fails here fails again where it is told.
            let _ = whole.keep(api);
            shares.done(number);
        }
    };
    // SAFETY: this is the only thread (Shares::of), and holds no locks that the work takes. What it changes is its own
    // copy, the files of the cache, which appear whole, and the shares.
    unsafe { Helper::start(work) }.ok()
}

/// Which process compiles what.
struct Shares(&'static [AtomicU32]);

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const DONE: u32 = 2;

impl Shares {
    /// Shares of so many modules. None if a helper would be of no use.
    fn of(modules: usize) -> Option<Self> {
        let size = (modules * size_of::<AtomicU32>()).next_multiple_of(4096);
        if modules < 2 || !debugger::is_only_thread() || !cache::is_used() {
            return None;
        }
        let pages = sys::map_shared_pages(size).ok()?;
        // SAFETY: fresh zeroed pages, unmapped on drop.
        Some(Self(unsafe { std::slice::from_raw_parts(pages.cast(), modules) }))
    }

    /// Makes a module this process's to compile, unless it is the other's.
    fn take(&self, number: usize) -> bool {
        self.0[number].compare_exchange(FREE, TAKEN, SeqCst, SeqCst).is_ok()
    }

    fn done(&self, number: usize) {
        self.0[number].store(DONE, SeqCst);
    }

    fn is_done(&self, number: usize) -> bool {
        self.0[number].load(SeqCst) == DONE
    }
}

impl Drop for Shares {
    fn drop(&mut self) {
        let size = size_of_val(self.0).next_multiple_of(4096);
        // SAFETY: mapped in `of`; the slice is not used any more.
        unsafe { sys::unmap_pages(self.0.as_ptr().cast_mut().cast(), size) };
    }
}
