//! Counts of what the runtime did, for the statistics (startup/report.rs).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use autojit_code::lock::{ForkLock, Lock};

/// A number that only grows.
#[derive(Debug)]
pub struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Adds to it.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    /// Adds a time.
    pub fn add_time(&self, time: Duration) {
        self.add(time.as_nanos() as u64);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// A time in milliseconds, with three decimals.
    pub fn milliseconds(&self) -> String {
        let microseconds = self.get() / 1000;
        format!("{}.{:03}", microseconds / 1000, microseconds % 1000)
    }
}

/// What is counted. Times are in nanoseconds.
#[derive(Debug)]
pub struct Counters {
    /// Modules of all images.
    pub modules: Counter,
    /// Lazy functions of all images.
    pub functions: Counter,
    /// Functions compiled in this process.
    pub compiled: Counter,
    /// Functions that the baseline compiler has compiled.
    pub baseline: Counter,
    /// Functions with code of the baseline compiler that was replaced by optimised code.
    pub optimized: Counter,
    /// Functions that were found to run often enough for that.
    pub tier_requests: Counter,
    /// Frames that better code goes on with.
    pub replaced_on_stack: Counter,
    /// Functions bound from the cache.
    pub from_cache: Counter,
    /// Functions whose code in the cache was found by their content, as their module is another than before.
    pub same_content: Counter,
    /// Functions that were optimised in an earlier run, have changed since, and are to be optimised again.
    pub wanted_again: Counter,
    /// Files of the cache that were opened.
    pub cache_files: Counter,
    /// Functions added to the cache.
    pub cached: Counter,
    /// Functions that autojitd has compiled for this process.
    pub from_daemon: Counter,
    /// Times that the engine or autojitd was asked to compile.
    pub batches: Counter,
    /// Time in the engine, opening modules included, or waiting for autojitd.
    pub compile_time: Counter,
    /// Time that the baseline compiler took, linking and publishing included.
    pub baseline_time: Counter,
    /// Time spent linking and publishing.
    pub link_time: Counter,
    /// Time to load the engine.
    pub engine_load_time: Counter,
    /// Calls made direct ones.
    pub callsites_rewritten: Counter,
    /// Entries into the resolver.
    pub resolver_calls: Counter,
    /// Bytes of machine code.
    pub code_bytes: Counter,
}

/// The process's counts.
pub static COUNTERS: Counters = Counters {
    modules: Counter::new(),
    functions: Counter::new(),
    compiled: Counter::new(),
    baseline: Counter::new(),
    optimized: Counter::new(),
    tier_requests: Counter::new(),
    replaced_on_stack: Counter::new(),
    from_cache: Counter::new(),
    same_content: Counter::new(),
    wanted_again: Counter::new(),
    cache_files: Counter::new(),
    cached: Counter::new(),
    from_daemon: Counter::new(),
    batches: Counter::new(),
    compile_time: Counter::new(),
    baseline_time: Counter::new(),
    link_time: Counter::new(),
    engine_load_time: Counter::new(),
    callsites_rewritten: Counter::new(),
    resolver_calls: Counter::new(),
    code_bytes: Counter::new(),
};

/// How many functions the baseline compiler has left to the engine, by reason.
static REFUSED: Lock<BTreeMap<String, u64>> = Lock::new(BTreeMap::new());

/// A fork waits until no reason is being noted.
pub static FORK_LOCK: &dyn ForkLock = &REFUSED;

/// Notes that a function was left to the engine.
pub fn refuse(reason: String) {
    *REFUSED.lock().entry(reason).or_default() += 1;
}

/// Calls `visit` with each reason for which functions were left to the engine, and how many they are.
pub fn each_refusal(mut visit: impl FnMut(&str, u64)) {
    REFUSED.lock().iter().for_each(|(reason, count)| visit(reason, *count));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_decimals() {
        let counter = Counter::new();
        counter.add_time(Duration::from_micros(12_034));
        assert_eq!(counter.milliseconds(), "12.034");
    }
}
