//! --cache-stats and --cache-clear: the files of the object cache.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use autojit_cache::Directory;

use crate::{Failure, process};

/// The cache that programs with this environment use.
fn directory() -> Result<Directory, Failure> {
    let variable = |name: &[u8]| {
        Some(std::env::var_os(OsString::from_vec(name.to_vec()))?.into_vec())
            .filter(|value| !value.is_empty())
    };
    Directory::locate(variable(b"AUTOJIT_CACHE_DIR").as_deref(), variable, u64::MAX).ok_or_else(|| {
        Failure::new(2, "no cache: neither AUTOJIT_CACHE_DIR nor XDG_CACHE_HOME nor HOME is set")
    })
}

/// Prints what the cache has.
pub fn print() -> Result<(), Failure> {
    let directory = directory()?;
    let sizes: Vec<u64> = directory.contents().iter().map(|file| file.size).collect();
    let limit = process::variable("AUTOJIT_CACHE_SIZE").unwrap_or_else(|| "2G".into());
    println!("directory  {}", std::ffi::OsStr::from_bytes(directory.root()).display());
    println!("files      {}\nbytes      {}", sizes.len(), sizes.iter().sum::<u64>());
    println!("limit      {}", limit.display());
    Ok(())
}

/// Removes what the cache has.
pub fn clear() -> Result<(), Failure> {
    let directory = directory()?;
    let left = directory.clear();
    if left.is_empty() {
        return Ok(());
    }
    let text = left.iter().map(|(path, error)| format!("\n  {}: {error}", path.to_string_lossy()));
    Err(Failure::new(1, format!("cannot remove{}", text.collect::<String>())))
}
