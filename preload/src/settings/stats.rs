//! Statistics: what the runtime did, as one JSON object at exit (AUTOJIT_STATS).
//!
//! Receives counts from everywhere; writes to standard error or to a file, in processes that registered an image. A
//! child that was forked and exits writes as well; as a file name without %p would be its parent's, it appends its
//! process id to it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use autojit_code::lock::Lock;
use autojit_protocol::json::quote;

use crate::compile::{compiler, image_cache};
use crate::program::function::State;
use crate::program::image;
use crate::settings::options::{self, Mode, StatsSink};
use crate::sys::{self, File};

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
    fn milliseconds(&self) -> String {
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
    /// Functions bound from the cache.
    pub from_cache: Counter,
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
    from_cache: Counter::new(),
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

/// Notes that a function was left to the engine.
pub fn refuse(reason: String) {
    *REFUSED.lock().entry(reason).or_default() += 1;
}

/// The process that counts; another id than the process's own means that it was forked.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Whether this process has written.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// Notes the process that the counts begin in, if a file is to have them. The options are known.
pub fn begin() {
    let wanted = options::get().map(|options| &options.stats);
    if matches!(wanted, Some(StatsSink::File(_))) {
        PROCESS.store(sys::process_id(), Relaxed);
    }
}

/// Whether they are to be written at the end.
pub fn are_wanted() -> bool {
    options::get().is_some_and(|options| options.stats != StatsSink::Off)
}

/// In a child after a fork: it writes for itself.
pub fn after_fork_in_child() {
    WRITTEN.store(false, Relaxed);
}

/// Writes the statistics, if they are asked for and were not written.
pub fn write() {
    let Some(options) = options::get() else { return };
    if options.stats == StatsSink::Off || WRITTEN.swap(true, Relaxed) {
        return;
    }
    let process = sys::process_id();
    let json = json(process);
    let result = match &options.stats {
        StatsSink::Off => Ok(()),
        StatsSink::Stderr => sys::write(2, json.as_bytes()),
        StatsSink::File(name) => {
            let path = file_name(name, process, process != PROCESS.load(Relaxed));
            let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
            File::open(&path, flags, 0o666)
                .and_then(|file| sys::write(file.descriptor(), json.as_bytes()))
                .inspect_err(|error| {
                    log::warn!("writing statistics to {}: {error}", path.to_string_lossy());
                })
        }
    };
    // A closed standard error has nobody to be told.
    let _ = result;
}

/// The file's name for a process: %p is its id. A forked child without %p gets a name of its own.
fn file_name(name: &[u8], process: u32, forked: bool) -> CString {
    let process = process.to_string();
    let mut path = Vec::new();
    let mut rest = name;
    let mut distinct = false;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"%p") {
        path.extend_from_slice(&rest[..at]);
        path.extend_from_slice(process.as_bytes());
        rest = &rest[at + 2..];
        distinct = true;
    }
    path.extend_from_slice(rest);
    if forked && !distinct {
        path.push(b'.');
        path.extend_from_slice(process.as_bytes());
    }
    CString::new(path).expect("an environment variable has no NUL")
}

fn json(process: u32) -> String {
    let c = &COUNTERS;
    let bound = image::all()
        .flat_map(|image| image.modules())
        .flat_map(|module| module.functions())
        .filter(|function| function.state() == State::Ready)
        .count();
    let bound = bound + image::all().map(image_cache::unnamed).sum::<usize>();
    let from_daemon = c.from_daemon.get();
    let daemon = compiler::mode() == Mode::Daemon || from_daemon != 0;
    let mode = if daemon { "daemon" } else { "inprocess" };
    let mut refused = String::from("{");
    for (number, (reason, count)) in REFUSED.lock().iter().enumerate() {
        refused.push_str(if number == 0 { "" } else { ", " });
        quote(&mut refused, reason);
        // Writing to a String cannot fail.
        let _ = write!(refused, ": {count}");
    }
    refused.push('}');
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{{\"pid\": {process}, \"program\": ");
    quote(&mut text, &image::program());
    let _ = writeln!(
        text,
        ", \"mode\": \"{mode}\", \"modules\": {}, \"functions\": {}, \"bound\": {bound}, \"compiled\": {}, \
         \"baseline\": {}, \"baseline_ms\": {}, \"refused\": {refused}, \
         \"from_cache\": {}, \"cache_files\": {}, \"cached\": {}, \"from_daemon\": {from_daemon}, \"batches\": {}, \"compile_ms\": {}, \"link_ms\": {}, \
         \"engine_load_ms\": {}, \"callsites_rewritten\": {}, \"resolver_calls\": {}, \"code_bytes\": {}}}",
        c.modules.get(),
        c.functions.get(),
        c.compiled.get(),
        c.baseline.get(),
        c.baseline_time.milliseconds(),
        c.from_cache.get(),
        c.cache_files.get(),
        c.cached.get(),
        c.batches.get(),
        c.compile_time.milliseconds(),
        c.link_time.milliseconds(),
        c.engine_load_time.milliseconds(),
        c.callsites_rewritten.get(),
        c.resolver_calls.get(),
        c.code_bytes.get(),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names() {
        assert_eq!(file_name(b"/tmp/s", 12, false).as_bytes(), b"/tmp/s");
        assert_eq!(file_name(b"/tmp/s", 12, true).as_bytes(), b"/tmp/s.12");
        assert_eq!(file_name(b"/tmp/%p/s.%p", 12, true).as_bytes(), b"/tmp/12/s.12");
        assert_eq!(file_name(b"100%", 12, false).as_bytes(), b"100%");
    }

    #[test]
    fn milliseconds_have_three_decimals() {
        let counter = Counter::new();
        counter.add_time(Duration::from_micros(12_034));
        assert_eq!(counter.milliseconds(), "12.034");
    }

    #[test]
    fn one_object_with_all_keys() {
        let text = json(42);
        assert!(text.starts_with("{\"pid\": 42, ") && text.ends_with("}\n"));
        for key in [
            "pid",
            "program",
            "mode",
            "modules",
            "functions",
            "bound",
            "compiled",
            "baseline",
            "baseline_ms",
            "refused",
            "from_cache",
            "cache_files",
            "cached",
            "from_daemon",
            "batches",
            "compile_ms",
            "link_ms",
            "engine_load_ms",
            "callsites_rewritten",
            "resolver_calls",
            "code_bytes",
        ] {
            assert_eq!(text.matches(&format!("\"{key}\": ")).count(), 1, "{key}");
        }
    }
}
