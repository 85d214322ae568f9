//! Small programs made of parts, for tests of what happens between compiler and loader: each part is a text, compiled
//! lazily or plainly, and the test links them as it likes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::compile::{How, Link, object};
use crate::run::{Outcome, lazy_command, run};
use crate::scratch::Scratch;
use crate::stats::Stats;

/// The linkers of Debian 12.
pub const LINKERS: [&str; 4] = ["bfd", "gold", "lld", "mold"];

/// A program that prints 42, from [`HELPER`].
pub const MAIN: &str = "#include <stdio.h>\nint helper(int);\nstatic int twice(int x) { return 2 * x; }\n\
    int main(void) { printf(\"%d\\n\", twice(helper(20))); return 0; }\n";
/// What [`MAIN`] calls.
pub const HELPER: &str = "int helper(int x) { return x + 1; }\n";

fn owned(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| (*flag).to_owned()).collect()
}

/// Compiles the text of a C or C++ file.
#[track_caller]
pub fn compile(scratch: &Scratch, how: How, name: &str, text: &str, flags: &[&str]) -> PathBuf {
    object(how, &scratch.file(name, text), &owned(flags), scratch.path())
}

/// Links with `linker` into `<scratch>/program`.
#[track_caller]
pub fn link(scratch: &Scratch, linker: &str, objects: &[PathBuf], flags: &[&str]) -> PathBuf {
    let output = scratch.path().join("program");
    Link { linker, cxx: false, flags: &owned(flags) }.run(objects, &output);
    output
}

/// Links a shared library into `<scratch>/<name>`, which is its soname as well.
#[track_caller]
pub fn link_library(
    scratch: &Scratch,
    linker: &str,
    name: &str,
    objects: &[PathBuf],
    flags: &[&str],
) -> PathBuf {
    let soname = format!("-Wl,-soname,{name}");
    let output = scratch.path().join(name);
    Link { linker, cxx: false, flags: &owned(&[&["-shared", &soname], flags].concat()) }
        .run(objects, &output);
    output
}

/// What linking `objects` into a program says, which may fail.
pub fn try_to_link(scratch: &Scratch, linker: &str, objects: &[PathBuf], flags: &[&str]) -> Outcome {
    let output = scratch.path().join("program");
    crate::run::attempt(&mut Link { linker, cxx: false, flags: &owned(flags) }.command(objects, &output))
}

/// Runs a lazy program, and checks that it was.
#[track_caller]
pub fn run_lazy(scratch: &Scratch, program: &Path) -> Outcome {
    let stats = scratch.path().join("stats");
    let _ = fs::remove_file(&stats);
    let _ = fs::remove_dir_all(scratch.path().join("cache"));
    let outcome = run(&mut lazy_command(program, scratch.path()), scratch.path(), b"");
    Stats::read(&stats).assert_lazy();
    assert!(outcome.stderr.is_empty(), "{outcome}");
    outcome
}

/// Runs a lazy program that must print 42.
#[track_caller]
pub fn assert_42(scratch: &Scratch, program: &Path, what: &str) {
    let outcome = run_lazy(scratch, program);
    assert_eq!(outcome.assert_code(0).text(), "42\n", "{what}: {outcome}");
}
