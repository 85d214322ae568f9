//! What builds do: compilers, wrappers, linkers, and what they make of one another. One binary, as each links as much as all of
//! them; a module for each subject.

mod build_tools;
mod cargo;
mod ccache;
mod compiler_answers;
mod compiler_diagnostics;
mod compiler_flags;
mod definitions;
mod flags;
mod generated;
mod launched;
mod launcher;
mod libraries;
mod link_errors;
mod link_flags;
mod link_plans;
mod linking;
mod lto;
mod many_libraries;
mod moved;
mod objects;
mod other_plugins;
mod packages;
mod preamble_rounds;
mod preambles;
mod preambles_beside;
mod preambles_of_compilers;
mod preambles_states;
mod roots;
mod store;
mod undefined;
mod wrapped_links;
mod wrappers;

use std::path::{Path, PathBuf};

use autojit_tests::run::{lazy_command, run};
use autojit_tests::scratch::Scratch;
use autojit_tests::stats::Stats;

/// A file of the test programs.
fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sources").join(file)
}

/// Runs a lazy program and checks what it prints.
#[track_caller]
fn assert_runs(program: &Path, scratch: &Scratch, line: &str) {
    let outcome = run(&mut lazy_command(program, scratch.path()), scratch.path(), b"");
    assert!(outcome.assert_code(0).text().lines().any(|printed| printed == line), "no '{line}': {outcome}");
    assert!(outcome.stderr.is_empty(), "{outcome}");
    Stats::read(&scratch.path().join("stats")).assert_lazy();
}
