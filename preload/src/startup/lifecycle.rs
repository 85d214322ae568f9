//! The runtime's life: asleep in programs without lazy code, started by the first image that registers.
//!
//! Receives [`ImageRecord`]s from the constructors of images; starts everything in order, and ends it.

use autojit_trampoline::contract::ImageRecord;
use autojit_trampoline::entry;
use autojit_trampoline::stack::with_resolver_stack;

use crate::compile::library::thread_end;
use crate::compile::{cache, daemon, engine, image_cache, prepare, rest, tier};
use crate::link::{debugger, listeners, live};
use crate::platform::c_library;
use crate::platform::guards::SignalGuard;
use crate::program::{fork, image, process};
use crate::settings::failure::Failure;
use crate::settings::{log, options, progress, trace};
use crate::startup::listeners::LISTENERS;
use crate::startup::{forks, report, resolver};
use crate::sys;

/// Registers an image, starting the runtime if it is the first. Ends the process if the image cannot run.
///
/// # Safety
/// The record must be one of a loaded and relocated image (contract).
pub unsafe fn register(record: *const ImageRecord) {
    c_library::find();
    let _uninterrupted = SignalGuard::new();
    let _fork_guard = fork::ForkGuard::enter();
    let one_at_a_time = process::REGISTERING.lock();
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
            if let Err(error) = with_resolver_stack(|| prepare::prepare(image)) {
                ::log::info!("{} is not described to the debugger: {error:?}", image.name());
            }
        }
        Ok(Some((image, false))) if image.is_executable() => {
            if image_cache::bind_first(image) {
                process::note_start(image);
            }
        }
        Ok(_) => {}
        // Whatever has run already: the code of this image has not.
        Err(failure) => log::die(false, format_args!("cannot run {}: {failure}", name_of(record))),
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

/// Starts the runtime, once, in this order.
fn start() -> Result<(), Failure> {
    if !process::asleep() {
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
    let options = options::begin(options);
    engine::begin(options);
    cache::begin(options);
    daemon::begin(options);
    tier::begin();
    live::begin(options);
    listeners::begin(LISTENERS);
    report::begin();
    progress::begin(options);
    fork::install(&forks::PARTS)?;
    thread_end::reserve();
    // Last: from here on, stubs can lead to us.
    entry::install_counters(tier::tripped);
    entry::install(resolver::resolve, c_library::processor());
    process::note_loading();
    Ok(())
}

/// At exit: what was compiled goes to the cache, and statistics are written. Does nothing in a process without lazy code.
pub extern "C" fn at_exit() {
    if process::asleep() {
        return;
    }
    if !(cache::has_news() || options::stats_are_wanted() || tier::is_awaited()) {
        live::remove();
        return leave_rest();
    }
    let _uninterrupted = SignalGuard::new();
    {
        let _fork_guard = fork::ForkGuard::enter();
        if tier::is_awaited() {
            tier::finish();
        }
        let since = trace::begin();
        cache::flush();
        trace::note("write to the cache", since, String::new);
    }
    report::write();
    live::remove();
    leave_rest();
}

/// What ran often and was not optimised is for a copy of the process.
fn leave_rest() {
    if tier::has_rest() || rest::is_due() {
        let _uninterrupted = SignalGuard::new();
        rest::leave();
    }
}
