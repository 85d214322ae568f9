//! A timeline of what the runtime did, for AUTOJIT_TRACE (startup/timeline.rs writes it).

use std::time::Duration;

use autojit_code::lock::{ForkLock, Lock};

use crate::settings::options;
use crate::sys;

/// What took some time in one thread.
#[derive(Debug)]
pub struct Span {
    /// What was done.
    pub what: &'static str,
    /// To which function or module.
    pub subject: String,
    /// The thread's id.
    pub thread: u32,
    /// When it began, on the monotonic clock.
    pub begin: Duration,
    /// When it ended.
    pub end: Duration,
}

static SPANS: Lock<Vec<Span>> = Lock::new(Vec::new());

/// A fork waits until nothing is being noted.
pub static FORK_LOCK: &dyn ForkLock = &SPANS;

/// The time, if a timeline is wanted.
pub fn begin() -> Option<Duration> {
    options::get()?.trace.is_some().then(sys::monotonic_time)
}

/// Notes what began at `since`, if a timeline is wanted. `subject` says of what.
pub fn note(what: &'static str, since: Option<Duration>, subject: impl FnOnce() -> String) {
    if let Some(begin) = since.filter(|_| options::get().is_some_and(|options| options.trace.is_some())) {
        let span =
            Span { what, subject: subject(), thread: sys::thread_id(), begin, end: sys::monotonic_time() };
        SPANS.lock().push(span);
    }
}

/// In a child after a fork: its timeline begins here.
pub fn after_fork_in_child() {
    SPANS.lock().clear();
}

/// Calls `visit` with each span, in the order in which they ended.
pub fn each(visit: impl FnMut(&Span)) {
    SPANS.lock().iter().for_each(visit);
}
