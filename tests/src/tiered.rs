//! Runs of programs with tiers, by themselves or with a daemon, and the programs of `programs/tiers`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::compile::{How, Link, object};
use crate::run::warm_command;
use crate::scratch::Scratch;

/// Where nothing is.
pub const NOWHERE: &str = "/nowhere/socket";

/// `program` with tiers, which waits at its end; and where autojitd is, if anywhere.
pub fn tiered(program: &Path, scratch: &Scratch, mode: &str, socket: &Path) -> Command {
    let mut command = warm_command(program, scratch.path());
    command
        .env("AUTOJIT_TIER", "wait")
        .env("AUTOJIT_TIER_CALLS", "100")
        .env("AUTOJIT_TIER_LOOPS", "10000")
        .env("AUTOJIT_MODE", mode)
        .env("AUTOJIT_SOCKET_PATH", socket)
        .env("AUTOJIT_DAEMON_PATH", "/nowhere/autojitd")
        .env("AUTOJIT_STATS", scratch.path().join("stats.%p"));
    command
}

/// Builds a program of `programs/tiers` from its one source file.
pub fn build_program(scratch: &Scratch, how: How, file: &str, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs/tiers").join(file);
    let directory = scratch.directory(&format!("{how:?}"));
    let flags: Vec<_> = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let object = object(how, &source, &flags, &directory);
    let output = directory.join("program");
    let flags = ["-pthread".to_owned()];
    Link { linker: "lld", cxx: file.ends_with(".cpp"), flags: &flags }.run(&[object], &output);
    output
}
