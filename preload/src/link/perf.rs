//! The map for perf (AUTOJIT_PERF_MAP): /tmp/perf-PID.map, a line "START SIZE NAME" for each compiled function.
//!
//! Receives published code. perf looks there for functions in memory that belongs to no file (tools/perf/Documentation/
//! jit-interface.txt), and only for the process that a sample was taken in: a forked child gets a map with all that it
//! has inherited.

use std::ffi::CString;
use std::fmt::Write;

use autojit_code::{Code, Named};

use crate::link::listeners::{Listener, Published};
use crate::link::names;
use crate::program::unwind_table;
use crate::settings::options;
use crate::sys::{self, File};

/// Adds functions to the map, if there is to be one.
#[derive(Debug)]
pub struct PerfMap;

impl Listener for PerfMap {
    fn published(&self, published: &mut Published<'_>) {
        if wanted() {
            write(&published.code);
        }
    }
}

/// Adds the functions of `code`, which unwinders know, to the map.
fn write(code: &Code) {
    let mut text = String::new();
    let functions = unwind_table::TABLE.symbols(code.text.start);
    functions.for_each(|Named { name, start, size }| line(&mut text, start, size, &name.to_string_lossy()));
    append(&text);
}

/// Writes the map of a child process.
pub fn after_fork_in_child() {
    if !wanted() {
        return;
    }
    let mut text = String::new();
    names::each_function(|Named { name, start, size }| line(&mut text, start, size, &name.to_string_lossy()));
    append(&text);
}

fn wanted() -> bool {
    options::get().is_some_and(|options| options.perf_map)
}

fn line(text: &mut String, start: usize, size: usize, name: &str) {
    // Strings take everything.
    let _ = writeln!(text, "{start:x} {size:x} {name}");
}

/// One write, so that lines of several threads do not mix.
fn append(text: &str) {
    let path = CString::new(format!("/tmp/perf-{}.map", sys::process_id())).unwrap_or_default();
    // Any user may put a link into /tmp.
    let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_NOFOLLOW;
    let result =
        File::open(&path, flags, 0o644).and_then(|file| sys::write(file.descriptor(), text.as_bytes()));
    if let Err(error) = result {
        log::warn!("writing {}: {error}", path.to_string_lossy());
    }
}
