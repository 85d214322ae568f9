//! Where the files of the installation are: relative to this executable, else where systems keep libraries.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::Failure;

/// The directory of this executable, without symbolic links.
pub fn own_directory() -> PathBuf {
    let executable = std::env::current_exe().unwrap_or_default();
    executable.parent().map(PathBuf::from).unwrap_or_default()
}

/// The absolute path of a file of lib/, without symbolic links; else a failure with `status`.
pub fn library(file: &str, status: u8) -> Result<PathBuf, Failure> {
    const SYSTEM: [&str; 5] = [
        "/usr/local/lib/autojit",
        "/usr/local/lib",
        "/usr/lib/autojit",
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib",
    ];
    let own = own_directory();
    let mut directories = vec![own.join("../lib"), own.join("../lib/autojit")];
    directories.extend(SYSTEM.map(PathBuf::from));
    let found = directories.iter().map(|directory| directory.join(file)).find(|path| path.is_file());
    if let Some(path) = found.and_then(|path| path.canonicalize().ok()) {
        return Ok(path);
    }
    let looked: Vec<_> = directories.iter().map(|directory| directory.display().to_string()).collect();
    Err(Failure::new(status, format!("{file} not found; looked in {}", looked.join(" "))))
}

/// Whether the dynamic loader looks for libraries in a directory by itself.
pub fn is_searched(directory: &Path) -> bool {
    const DIRECTORIES: [&str; 4] = ["/lib", "/usr/lib", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"];
    DIRECTORIES.iter().any(|searched| directory == Path::new(searched))
}

/// LD_PRELOAD with our library in front of what is in it; None if the dynamic loader could not read it: it splits at
/// blanks and colons, and knows no quotes.
pub fn preload(library: &Path, others: Option<&OsStr>) -> Option<OsString> {
    let bytes = library.as_os_str().as_bytes();
    if bytes.iter().any(|byte| byte.is_ascii_whitespace() || *byte == b':') {
        return None;
    }
    let mut preload = library.as_os_str().to_owned();
    if let Some(others) = others {
        preload.push(":");
        preload.push(others);
    }
    Some(preload)
}
