//! The number of compiled functions for `autojit-run --progress`, which shows it while they become more. All processes of a
//! run add to one number.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::settings::options::Options;
use crate::settings::stats::COUNTERS;
use crate::sys::{self, SharedCount};

static COUNT: OnceLock<SharedCount> = OnceLock::new();
/// What this process, and the one that it was forked from, have told.
static TOLD: AtomicU64 = AtomicU64::new(0);

/// Finds the number, if one is wanted. Where it cannot be found (another user, a container), nothing is shown.
pub fn begin(options: &Options) {
    if let Some(path) = &options.progress
        && let Some(count) = SharedCount::open(&sys::c_string(&[path]))
    {
        COUNT.get_or_init(|| count);
    }
}

/// Tells of what was compiled since the last time.
pub fn tell() {
    if let Some(count) = COUNT.get() {
        let c = &COUNTERS;
        let now = c.baseline.get() + c.compiled.get() + c.from_daemon.get();
        // Another thread may have told more meanwhile: then the difference is negative, and the next time makes up for it.
        count.add(now.wrapping_sub(TOLD.swap(now, Relaxed)));
    }
}
