//! What a preamble is of: everything that is known before a file is looked at. Two compiles with the same key differ in nothing that
//! the compiler reads for the preamble but files, which the manifest lists: sources of one directory that begin with the same
//! directives share it, and those of several directories if no directive depends on the directory.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::flags::Compile;
use super::manifest::Identity;
use super::scan;

/// The form of keys, manifests and what belongs to them.
const VERSION: &str = "autojit preamble 3";

/// Variables that the compiler, its dynamic loader or its driver read, by what their names begin with. clang knows no locales
/// (it imports neither `setlocale` nor `newlocale`), so an editor and a terminal share preambles.
const READ: &[&str] = &[
    "CLANG",
    "LLVM",
    "LIBCLANG",
    "GCC",
    "CPATH",
    "C_INCLUDE_PATH",
    "CPLUS_INCLUDE_PATH",
    "OBJC",
    "COMPILER_PATH",
    "LIBRARY_PATH",
    "SOURCE_DATE_EPOCH",
    "SDKROOT",
    "LD_",
    "GLIBC_TUNABLES",
    "PATH",
    "PWD",
    "HOME",
    "XDG_CONFIG",
    "CUDA",
    "HIP",
    "ROCM",
    "AUTOJIT_CC",
    "AUTOJIT_CXX",
];

/// Variables that have the compiler do something besides.
const FOREIGN: &[&str] = &[
    "CCC_",
    "CC_PRINT_",
    "CC_LOG_",
    "DEPENDENCIES_OUTPUT",
    "SUNPRO_DEPENDENCIES",
    "QA_OVERRIDE_GCC3_OPTIONS",
    "RC_DEBUG_OPTIONS",
    "FORCE_CLANG_",
    "CLANG_SPAWN",
    "LLVM_PROFILE",
    "CINDEXTEST",
];

/// A key: its whole text, which manifests repeat.
pub struct Key(pub Vec<u8>);

impl Key {
    /// The key of a compile by `program`, called `name`; None if it cannot have one.
    pub fn of(program: &Path, name: &OsStr, compile: &Compile, preamble: &[u8]) -> Option<Self> {
        let mut text = Vec::new();
        let mut add = |part: &[u8]| {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part);
        };
        add(VERSION.as_bytes());
        add(std::env::current_dir().ok()?.as_os_str().as_bytes());
        add(program.as_os_str().as_bytes());
        add(&Identity::of(&program.metadata().ok()?).bytes());
        add(name.as_bytes());
        add(compile.extension().as_bytes());
        add(if scan::needs_folder(preamble) { compile.folder().as_os_str().as_bytes() } else { b"" });
        if let Some(rules) = &compile.rules {
            add(rules.option.as_bytes());
        }
        add(b"flags");
        compile.flags.iter().for_each(|flag| add(flag.as_bytes()));
        add(b"environment");
        for (name, value) in environment()? {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(preamble);
        Some(Self(text))
    }

    /// Its digits, for names of files.
    pub fn digits(&self) -> String {
        format!("{:032x}", xxh3_128(&self.0))
    }
}

/// The variables that the compiler reads, in order; None if one of them asks for more than an object.
fn environment() -> Option<Vec<(OsString, OsString)>> {
    let begins =
        |name: &OsStr, list: &[&str]| list.iter().any(|known| name.as_bytes().starts_with(known.as_bytes()));
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        if begins(&name, FOREIGN) {
            return None;
        }
        if begins(&name, READ) {
            variables.push((name, value));
        }
    }
    variables.sort();
    Some(variables)
}
