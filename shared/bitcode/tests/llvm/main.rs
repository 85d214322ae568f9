//! What the reader reads of every function of the test programs is what LLVM's C API says of it; and what is taken out of
//! bodies can be put back.
//!
//! A part of the source files under `tests/sources` is compiled, each at one of several levels; with
//! `AUTOJIT_BITCODE_TEST=all` every one at every level. Further bitcode files can be named in `AUTOJIT_BITCODE_FILES`.

// Everything here is calls of LLVM's C API on values that it handed out itself.
#![allow(unsafe_op_in_unsafe_fn)]

mod attributes;
mod compare;
mod constants;
#[path = "../drive/mod.rs"]
mod drive;
mod instructions;
mod programs;
mod types;

use std::path::Path;

use compare::Comparison;

fn check(path: &Path) -> Result<Counts, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    drive::drive(&bytes).map_err(|error| format!("{error:?}"))?;
    if drive::apart(&bytes) != drive::kept(&bytes) {
        return Err("what was taken out of its bodies is not put back as it was".into());
    }
    // SAFETY: the comparison owns its LLVM context and uses only what that gave it.
    unsafe { Comparison::run(&bytes) }
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    modules: usize,
    functions: usize,
    instructions: usize,
    constants: usize,
}

impl Counts {
    fn add(&mut self, other: Counts) {
        self.modules += other.modules;
        self.functions += other.functions;
        self.instructions += other.instructions;
        self.constants += other.constants;
    }
}

fn check_all(paths: Vec<std::path::PathBuf>) -> Counts {
    let mut counts = Counts::default();
    let mut failed = Vec::new();
    for path in paths {
        match check(&path) {
            Ok(more) => counts.add(more),
            Err(reason) => failed.push(format!("{}: {reason}", path.display())),
        }
    }
    assert!(failed.is_empty(), "{} files differ:\n{}", failed.len(), failed.join("\n"));
    println!("{counts:?}");
    counts
}

#[test]
fn programs_in_c_are_read_as_llvm_reads_them() {
    let counts = check_all(programs::compile(&["c"]));
    assert!(counts.modules >= 35 && counts.functions >= 150 && counts.instructions >= 3_000, "{counts:?}");
}

#[test]
fn programs_in_cxx_are_read_as_llvm_reads_them() {
    let counts = check_all(programs::compile(&["cpp"]));
    assert!(counts.modules >= 15 && counts.functions >= 500 && counts.instructions >= 5_000, "{counts:?}");
}

#[test]
fn programs_in_rust_are_read_as_llvm_reads_them() {
    let counts = check_all(programs::compile(&["rs"]));
    assert!(counts.modules >= 3 && counts.functions >= 100 && counts.instructions >= 1_000, "{counts:?}");
}

#[test]
fn ir_of_every_kind_is_read_as_llvm_reads_it() {
    let counts = check_all(programs::assemble());
    assert!(counts.modules >= 1 && counts.instructions >= 140, "{counts:?}");
}

#[test]
fn named_files_are_read_as_llvm_reads_them() {
    let files = std::env::var_os("AUTOJIT_BITCODE_FILES").unwrap_or_default();
    check_all(std::env::split_paths(&files).filter(|path| !path.as_os_str().is_empty()).collect());
}
