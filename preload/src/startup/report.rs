//! Statistics: what the runtime did, as one JSON object at exit (AUTOJIT_STATS), or as text (summary.rs). Beside them, the
//! timeline (timeline.rs).
//!
//! Receives the counts; writes to standard error or to a file, in processes that registered an image. A
//! child that was forked and exits writes as well; as a file name without %p would be its parent's, it appends its
//! process id to it.

use std::ffi::CString;
use std::fmt::Write;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use autojit_protocol::json::quote;

use crate::compile::{compiler, image_cache};
use crate::program::function::FunctionState;
use crate::program::image;
use crate::settings::options::{self, Mode, StatsSink};
use crate::settings::stats;
use crate::startup::{summary, timeline};
use crate::sys::{self, File};

/// The process that counts; another id than the process's own means that it was forked.
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Whether this process has written.
static WRITTEN: AtomicBool = AtomicBool::new(false);
/// How long other processes may write to the same file.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Notes the process that the counts begin in, if a file is to have them. The options are known.
pub fn begin() {
    let wanted = options::get();
    if wanted.is_some_and(|options| matches!(options.stats, StatsSink::File(_)) || options.trace.is_some()) {
        PROCESS.store(sys::process_id(), Relaxed);
    }
}

/// In a child after a fork: it writes for itself.
pub fn after_fork_in_child() {
    WRITTEN.store(false, Relaxed);
}

/// Writes the statistics and the timeline, as far as they are asked for and were not written.
pub fn write() {
    let Some(options) = options::get() else { return };
    if !options::stats_are_wanted() || WRITTEN.swap(true, Relaxed) {
        return;
    }
    let process = sys::process_id();
    // A closed standard error is no reason to stop.
    let _ = match &options.stats {
        StatsSink::Off => Ok(()),
        StatsSink::Stderr => sys::write(2, json(process).as_bytes()),
        StatsSink::Text => sys::write(2, summary::text(process, bound()).as_bytes()),
        StatsSink::File(name) => write_file(name, process, "statistics", &json(process)),
    };
    if let Some(name) = &options.trace {
        let _ = write_file(name, process, "the timeline", &timeline::json(process));
    }
}

/// Writes the file `name` of a process.
fn write_file(name: &[u8], process: u32, what: &str, text: &str) -> Result<(), sys::Errno> {
    let path = file_name(name, process, process != PROCESS.load(Relaxed));
    File::open(&path, libc::O_WRONLY | libc::O_CREAT, 0o666)
        .and_then(|file| replace(&file, text))
        .inspect_err(|error| log::warn!("writing {what} to {}: {error}", path.to_string_lossy()))
}

/// Makes `text` all that the file has. Processes that end at once may have been given the same name: the file has what one
/// of them wrote, so the file is locked. A lock that another process keeps is no reason to stay.
fn replace(file: &File, text: &str) -> Result<(), sys::Errno> {
    let locked = || file.try_lock() != Err(sys::Errno(libc::EWOULDBLOCK));
    for _ in 0..LONGEST_WAIT.as_millis() {
        if locked() {
            break;
        }
        sys::sleep_for(Duration::from_millis(1));
    }
    // What is not a regular file has no size.
    let _ = file.set_size(0);
    sys::write(file.descriptor(), text.as_bytes())
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

/// How many functions have code.
fn bound() -> usize {
    let functions =
        image::all().flat_map(|image| image.known_modules()).flat_map(|module| module.functions());
    let named = functions.filter(|function| function.state() == FunctionState::Ready).count();
    named + image::all().map(image_cache::unnamed).sum::<usize>()
}

fn json(process: u32) -> String {
    let c = &stats::COUNTERS;
    let bound = bound();
    let from_daemon = c.from_daemon.get();
    let daemon = compiler::mode() == Mode::Daemon || from_daemon != 0;
    let mode = if daemon { "daemon" } else { "inprocess" };
    let mut refused = String::from("{");
    stats::each_refusal(|reason, count| {
        refused.push_str(if refused.len() == 1 { "" } else { ", " });
        quote(&mut refused, reason);
        // Writing to a String cannot fail.
        let _ = write!(refused, ": {count}");
    });
    refused.push('}');
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write!(text, "{{\"pid\": {process}, \"program\": ");
    quote(&mut text, &image::program());
    let _ = writeln!(
        text,
        ", \"mode\": \"{mode}\", \"modules\": {}, \"functions\": {}, \"bound\": {bound}, \"compiled\": {}, \
         \"baseline\": {}, \"baseline_ms\": {}, \"refused\": {refused}, \
         \"optimized\": {}, \"tier_requests\": {}, \"replaced_on_stack\": {}, \
         \"from_cache\": {}, \"same_content\": {}, \"wanted_again\": {}, \"cache_files\": {}, \"cached\": {}, \"from_daemon\": {from_daemon}, \"batches\": {}, \"compile_ms\": {}, \"link_ms\": {}, \
         \"engine_load_ms\": {}, \"callsites_rewritten\": {}, \"resolver_calls\": {}, \"code_bytes\": {}}}",
        c.modules.get(),
        c.functions.get(),
        c.compiled.get(),
        c.baseline.get(),
        c.baseline_time.milliseconds(),
        c.optimized.get(),
        c.tier_requests.get(),
        c.replaced_on_stack.get(),
        c.from_cache.get(),
        c.same_content.get(),
        c.wanted_again.get(),
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
    fn processes_with_the_same_file_write_one_after_the_other() {
        let file = File::memory(c"report").unwrap();
        let path = format!("/proc/self/fd/{}", file.descriptor());
        let what_it_has = || std::fs::read_to_string(&path).unwrap();
        let write = |text| write_file(path.as_bytes(), PROCESS.load(Relaxed), "numbers", text);
        write("what another process writes, which is longer").unwrap();
        let other = std::fs::File::open(&path).unwrap();
        other.lock().unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| write("1 2 3"));
            std::thread::sleep(LONGEST_WAIT / 10);
            assert_eq!(what_it_has(), "what another process writes, which is longer");
            other.unlock().unwrap();
            writer.join().unwrap().unwrap();
        });
        assert_eq!(what_it_has(), "1 2 3");
        other.lock().unwrap();
        write("4 5").unwrap();
        assert_eq!(what_it_has(), "4 5", "behind a lock that is kept");
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
            "optimized",
            "tier_requests",
            "replaced_on_stack",
            "from_cache",
            "same_content",
            "wanted_again",
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
