//! What is kept is found by a key: everything that is known before a file is looked at. What two runs of a compiler with the same
//! key read differs in files alone, which manifests list.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_128;

use super::manifest::Identity;

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
    /// What every key begins with: what it is of, in which form (`version`), the working directory, and the compiler, which is
    /// called `name`.
    pub fn new(version: &str, program: &Path, name: &OsStr) -> Option<Self> {
        let mut key = Self(Vec::new());
        key.add(version.as_bytes());
        key.add(std::env::current_dir().ok()?.as_os_str().as_bytes());
        key.add(program.as_os_str().as_bytes());
        key.add(&Identity::of(&program.metadata().ok()?).bytes());
        key.add(name.as_bytes());
        Some(key)
    }

    /// Adds a part, with its length.
    pub fn add(&mut self, part: &[u8]) {
        self.0.extend_from_slice(&(part.len() as u64).to_le_bytes());
        self.0.extend_from_slice(part);
    }

    /// Adds the variables that the compiler reads; None if one of them asks for more than the usual output.
    pub fn add_environment(&mut self) -> Option<()> {
        self.add(b"environment");
        for (name, value) in environment()? {
            self.add(name.as_bytes());
            self.add(value.as_bytes());
        }
        Some(())
    }

    /// Its digits, for names of files.
    pub fn digits(&self) -> String {
        format!("{:032x}", xxh3_128(&self.0))
    }
}

/// The variables that the compiler reads, in order; None if one of them asks for more.
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
