//! How far the process is: without lazy code, with images that are registered, or with lazy code that has run.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use autojit_code::lock::{ForkLock, Lock};

use crate::program::image::{self, Image};

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
pub static REGISTERING: Lock<()> = Lock::new(());

/// Whether the process has no lazy code, as far as we know.
pub fn asleep() -> bool {
    PHASE.load(SeqCst) == Phase::Asleep as u8
}

/// Notes that the runtime has started: images are registered from now on.
pub fn note_loading() {
    PHASE.store(Phase::Loading as u8, SeqCst);
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

/// Finds out what was unloaded, if anything was: before the runtime uses what it remembers of the process. Not if an
/// image registers just now, which does it as well.
pub fn notice_unloads() {
    if image::unloads_unnoticed()
        && let Some(_one_at_a_time) = REGISTERING.try_lock()
    {
        image::notice_unloads();
    }
}

/// A fork waits until no image registers.
pub static FORK_LOCK: &dyn ForkLock = &REGISTERING;
