//! What a preamble is of: everything that is known before a file is looked at. Two compiles with the same key differ in nothing that
//! the compiler reads for the preamble but files, which the manifest lists: sources of one directory that begin with the same
//! directives share it, and those of several directories if no directive depends on the directory.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::flags::Compile;
use super::scan;
use crate::kept::Key;

/// The form of keys, manifests and what belongs to them.
const VERSION: &str = "autojit preamble 3";

/// The key of a compile by `program`, called `name`; None if it cannot have one.
pub fn of(program: &Path, name: &OsStr, compile: &Compile, preamble: &[u8]) -> Option<Key> {
    let mut key = Key::new(VERSION, program, name)?;
    key.add(compile.extension().as_bytes());
    key.add(if scan::needs_folder(preamble) { compile.folder().as_os_str().as_bytes() } else { b"" });
    if let Some(rules) = &compile.rules {
        key.add(rules.option.as_bytes());
    }
    key.add(b"flags");
    compile.flags.iter().for_each(|flag| key.add(flag.as_bytes()));
    key.add_environment()?;
    key.add(preamble);
    Some(key)
}
