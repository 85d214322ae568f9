//! For tests of the object cache: builds small programs, runs them with what earlier runs have kept, lists its files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{How, Link, object};
use crate::run::{Outcome, run, warm_command};
use crate::scratch::Scratch;
use crate::stats::Stats;

/// Builds `text` lazily as `<scratch>/<name>`.
#[track_caller]
pub fn build(scratch: &Scratch, name: &str, text: &str, flags: &[&str]) -> PathBuf {
    let source = scratch.file(&format!("{name}.c"), text);
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let object = object(How::Lazy, &source, &flags, scratch.path());
    let output = scratch.path().join(name);
    Link { linker: "lld", cxx: false, flags: &[] }.run(&[object], &output);
    output
}

/// The directory of the cache that the runs in `directory` share.
pub fn directory(directory: &Path) -> PathBuf {
    directory.join("cache/code")
}

/// All files of the cache of `scratch` whose names end so, with their sizes, by name.
pub fn files(scratch: &Scratch, ending: &str) -> Vec<(PathBuf, u64)> {
    let list =
        |path: PathBuf| fs::read_dir(path).into_iter().flatten().map(|entry| entry.expect("it is there"));
    let all = list(directory(scratch.path())).flat_map(|shard| list(shard.path()));
    let mut files: Vec<_> = all
        .filter(|file| file.file_name().to_string_lossy().ends_with(ending))
        .map(|file| (file.path(), file.metadata().expect("it is there").len()))
        .collect();
    files.sort();
    files
}

/// The only file of the cache that ends so.
#[track_caller]
pub fn only(scratch: &Scratch, ending: &str) -> PathBuf {
    match files(scratch, ending).as_slice() {
        [(file, _)] => file.clone(),
        other => panic!("one file {ending} was expected: {other:?}"),
    }
}

/// Runs a program with what is in the cache of `scratch`; says what it did and what the runtime did.
#[track_caller]
pub fn warm(
    scratch: &Scratch,
    program: &Path,
    change: impl FnOnce(&mut Command) -> &mut Command,
) -> (Outcome, Stats) {
    let mut command = warm_command(program, scratch.path());
    change(&mut command);
    let outcome = run(&mut command, scratch.path(), b"");
    (outcome, Stats::read(&scratch.path().join("stats")))
}

/// Checks that a run compiled everything itself.
#[track_caller]
pub fn assert_cold(stats: &Stats, what: &str) {
    assert_eq!(stats.number("from_cache"), 0.0, "{what}: {stats:?}");
    assert!(stats.compiled() > 0.0, "{what}: {stats:?}");
}

/// Checks that a run compiled nothing and added nothing.
#[track_caller]
pub fn assert_warm(stats: &Stats, what: &str) {
    assert!(stats.number("from_cache") > 0.0, "{what}: {stats:?}");
    for key in ["compiled", "baseline", "cached", "engine_load_ms"] {
        assert_eq!(stats.number(key), 0.0, "{what}: {stats:?}");
    }
}
