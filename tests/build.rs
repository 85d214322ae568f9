//! Makes a `#[test]` of each program in `sources/` and each of its levels: `<behaviour>::<level>`.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

#[path = "src/directives.rs"]
#[allow(dead_code, reason = "the build script needs names and levels only")]
mod directives;

fn main() {
    println!("cargo::rerun-if-changed=sources");
    println!("cargo::rerun-if-changed=src/directives.rs");
    // Asked now: two source trees may share a target directory, and so this compiled script.
    let sources = Path::new(&env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("sources");
    let entries = fs::read_dir(&sources).expect("the crate has its sources");
    let mut directories: Vec<_> = entries.map(|entry| entry.expect("it is readable").path()).collect();
    directories.sort();
    let mut tests = String::new();
    for directory in directories {
        let program = directives::read(&directory).unwrap_or_else(|error| panic!("{error}"));
        writeln!(tests, "mod {} {{", program.name).expect("strings take everything");
        for level in program.levels {
            let level = level.name();
            let call = format!("autojit_tests::program::check({directory:?}, {level:?})");
            writeln!(tests, "    #[test]\n    fn {level}() {{\n        {call};\n    }}").expect("likewise");
        }
        writeln!(tests, "}}").expect("likewise");
    }
    let output = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("programs.rs");
    fs::write(output, tests).expect("cargo's directory is writable");
}
