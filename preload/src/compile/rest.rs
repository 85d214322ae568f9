//! What ran often and was not optimised when the process ends: a copy of the process has it done, once programs have run
//! such code for long enough.
//!
//! Receives what [`tier`] has left; hands on code in the cache. Programs that end soon get nothing of what they ask
//! for, however often they run. So the time that they run with something to be optimised is added up, for all of them together
//! ([`autojit_cache::Waited`]), and the program that makes it [`PATIENCE`] leaves the work to a copy of itself, which costs it a
//! fork(2), and begins to count anew. There is one such copy at a time. It talks with autojitd as the program would have, and
//! ends within [`LIMIT`].

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::compile::{cache, compiler, image_cache, tier};
use crate::program::fork;
use crate::settings::options::{self, Mode};

/// How long programs run, in all, until one has things optimised at its end.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long that may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Whether the time is over, as far as this process has looked.
static DUE: AtomicBool = AtomicBool::new(false);
/// Whether something was found that an earlier run had optimised.
static FOUND: AtomicBool = AtomicBool::new(false);

/// Whether it may be of use to wait: what is optimised is kept, by another process.
fn is_of_use() -> bool {
    options::tier() == options::Tier::On && compiler::mode() != Mode::Inprocess
}

/// Looks whether the time is over, so that this process is to note what runs often even if it ends soon.
pub fn look() -> bool {
    let due = is_of_use() && cache::directory().is_some_and(|directory| directory.waited() >= PATIENCE);
    DUE.store(due, Relaxed);
    due
}

/// Whether it was found to be over.
pub fn is_due() -> bool {
    DUE.load(Relaxed)
}

/// What an earlier run had optimised has been found, by way of its counters: image packs are to begin with it if the time is
/// over. A copy writes them: that takes longer than most programs of which this is for.
pub fn note_found() {
    FOUND.store(is_due(), Relaxed);
}

/// At the end of the process, without a fork guard.
pub fn leave() {
    if !is_of_use() {
        return;
    }
    let rest = tier::rest();
    if rest.is_none() && !is_due() {
        return;
    }
    // Without the lock another process is at it: then this one need not count.
    let Some(waited) = cache::directory().and_then(|directory| directory.lock_waited().ok()) else { return };
    let found = FOUND.load(Relaxed);
    if let Some(rest) = &rest {
        let so_far = waited.get() + rest.since;
        if so_far < PATIENCE || !rest.is_known {
            let _ = waited.set(so_far);
            return;
        }
    }
    let _ = waited.set(Duration::ZERO);
    let is_left = rest.is_some();
    if !is_left && !found {
        return;
    }
    // The lock is the copy's as well, which closes what it has of it: it takes another one.
    drop(waited);
    let work = || {
        let Some(_lock) = cache::directory().and_then(|directory| directory.lock_waited().ok()) else {
            return;
        };
        let optimised = is_left && tier::finish_rest(LIMIT);
        if optimised || found {
            image_cache::renew();
            cache::flush();
        }
    };
    if let Err(error) = fork::leave_behind(work) {
        log::debug!("nothing is optimised behind the program: {error}");
    }
}
