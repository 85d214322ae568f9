//! The runtime's life: asleep in programs without lazy code, started by the first image that registers.
//!
//! Receives [`ImageRecord`]s from the constructors of images; starts everything in order; hands on what the other
//! modules need of the process: options, engine, and whether the program has begun.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use autojit_trampoline::contract::ImageRecord;
use autojit_trampoline::entry;
use autojit_trampoline::stack::with_resolver_stack;

use crate::compile::cache::{self, Cache};
use crate::compile::daemon::Place;
use crate::compile::engine::Engine;
use crate::compile::image_cache;
use crate::compile::library::{self, thread_end};
use crate::link::debugger;
use crate::platform::c_library;
use crate::platform::undisturbed::Uninterrupted;
use crate::program::image::{self, Image};
use crate::settings::failure::Failure;
use crate::settings::options::{self, Baseline, Calls, Mode, Options};
use crate::settings::{log, stats};
use crate::startup::{fork, resolver};
use crate::sys;
use autojit_code::lock::Lock;

/// How far the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// No image has registered.
    Asleep = 0,
    /// Images are registered; nothing of the program's has run, as far as we know.
    Loading = 1,
    /// Lazy code has run.
    Running = 2,
}

static PHASE: AtomicU8 = AtomicU8::new(Phase::Asleep as u8);

/// One image registers at a time.
static REGISTERING: Lock<()> = Lock::new(());

/// What is made at the start.
struct Process {
    options: Options,
    engine: Engine,
    cache: Cache,
    daemon: Place,
}

static PROCESS: OnceLock<Process> = OnceLock::new();

/// The options, if the runtime has started.
pub fn options() -> Option<&'static Options> {
    PROCESS.get().map(|process| &process.options)
}

/// The engine.
///
/// # Panics
/// If the runtime has not started.
pub fn engine() -> &'static Engine {
    &PROCESS.get().expect("an image has registered").engine
}

/// The object cache.
///
/// # Panics
/// If the runtime has not started.
pub fn cache() -> &'static Cache {
    &PROCESS.get().expect("an image has registered").cache
}

/// Where autojitd is.
///
/// # Panics
/// If the runtime has not started.
pub fn daemon_place() -> &'static Place {
    &PROCESS.get().expect("an image has registered").daemon
}

/// Who compiles.
pub fn mode() -> Mode {
    if !library::IS_POSSIBLE {
        return Mode::Daemon;
    }
    options().map_or(Mode::Auto, |options| options.mode)
}

/// The optimisation level that replaces the build's; -1 for none.
pub fn opt_override() -> i32 {
    options().and_then(|options| options.opt.0).map_or(-1, i32::from)
}

/// Whether calls are to pass the stubs of functions that have code.
pub fn calls_pass_stubs() -> bool {
    options().is_some_and(|options| options.calls == Calls::Stubs)
}

/// What the baseline compiler is for.
pub fn baseline() -> Baseline {
    options().map_or(Baseline::Off, |options| options.baseline)
}

/// Registers an image, starting the runtime if it is the first. Ends the process if the image cannot run.
///
/// # Safety
/// The record must be one of a loaded and relocated image (contract).
pub unsafe fn register(record: *const ImageRecord) {
    c_library::find();
    let _uninterrupted = Uninterrupted::new();
    let _inside = fork::Inside::enter();
    let one_at_a_time = REGISTERING.lock();
    let result = start().and_then(|()| {
        image::notice_unloads();
        let debugged = debugger::wants_everything();
        // SAFETY: the caller's promise.
        let image = unsafe { image::register(record, entry::address(), debugged) };
        image.map(|image| image.map(|image| (image, debugged)))
    });
    drop(one_at_a_time);
    match result {
        // LLVM wants more stack than a thread that opens a library may have.
        Ok(Some((image, true))) => {
            if let Err(error) = with_resolver_stack(|| crate::compile::prepare::prepare(image)) {
                ::log::info!("{} is not described to the debugger: {error:?}", image.name());
            }
        }
        Ok(Some((image, false))) if image.is_executable() => {
            if image_cache::bind_first(image) {
                note_start(image);
            }
        }
        Ok(_) => {}
        // Whatever has run already: the code of this image has not.
        Err(failure) => log::die(false, format_args!("cannot run {}: {failure}", name_of(record))),
    }
}

/// Finds out what was unloaded, if anything was: before the runtime uses what it remembers of the process. Not if an
/// image registers just now, which does it as well.
pub fn notice_unloads() {
    if image::unloads_unnoticed()
        && let Some(_one_at_a_time) = REGISTERING.try_lock()
    {
        image::notice_unloads();
    }
}

/// The image around a record, for a message.
fn name_of(record: *const ImageRecord) -> String {
    crate::platform::loaded::each(|object| {
        use std::ops::ControlFlow;
        if !object.contains(record as usize) {
            return ControlFlow::Continue(());
        }
        let name = object.name.to_string_lossy();
        ControlFlow::Break(if name.is_empty() { image::program() } else { name.into_owned() })
    })
    .unwrap_or_else(image::program)
}

/// Whether the process has no lazy code, as far as we know.
pub fn asleep() -> bool {
    PHASE.load(SeqCst) == Phase::Asleep as u8
}

/// Starts the runtime, once, in this order.
fn start() -> Result<(), Failure> {
    if !asleep() {
        return Ok(());
    }
    if sys::runs_with_other_rights() {
        log::install(::log::LevelFilter::Error);
        return Err(Failure::new(format_args!(
            "it runs with other rights than those of who started it (set-user-ID, capabilities), whose environment \
             says where code comes from; build it without autojit"
        )));
    }
    // Options first: they say whether anything may be said.
    let (options, bad) = options::from_environment();
    log::install(options::level(&options));
    log::install_panic_hook();
    for bad in bad {
        ::log::warn!("{bad}");
    }
    let engine = Engine::new(&options);
    let cache = Cache::new(&options);
    let daemon = Place::new(&options);
    let made = PROCESS.set(Process { options, engine, cache, daemon }).is_ok();
    debug_assert!(made, "the caller holds the lock");
    stats::begin();
    fork::install()?;
    thread_end::reserve();
    // Last: from here on, stubs can lead to us.
    entry::install(resolver::resolve);
    PHASE.store(Phase::Loading as u8, SeqCst);
    Ok(())
}

/// Notes that a function of `image` has code. The program counts as begun with a function of the executable, or, if
/// that has no lazy code, with any.
pub fn note_start(image: &Image) {
    if started() {
        return;
    }
    if image.is_executable() || !image::all().any(Image::is_executable) {
        PHASE.store(Phase::Running as u8, SeqCst);
    }
}

/// Whether the program has begun: what it has done cannot be undone by an exit code.
pub fn started() -> bool {
    PHASE.load(SeqCst) == Phase::Running as u8
}

/// For the fork handlers: no image registers until [`after_fork`].
pub fn before_fork() {
    REGISTERING.raw_lock();
}

/// Undoes [`before_fork`], in parent or child.
///
/// # Safety
/// `before_fork` must have run in this thread, or in the thread of the parent that forked.
pub unsafe fn after_fork() {
    // SAFETY: the caller's promise.
    unsafe { REGISTERING.unlock() }
}

/// At exit: what was compiled goes to the cache, and statistics are written. Does nothing in a process without lazy code.
pub extern "C" fn at_exit() {
    if asleep() || !(cache::has_news() || stats::are_wanted()) {
        return;
    }
    let _uninterrupted = Uninterrupted::new();
    {
        let _inside = fork::Inside::enter();
        cache::flush();
    }
    stats::write();
}
