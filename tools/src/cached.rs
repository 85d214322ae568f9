//! --cache-stats and --cache-clear: the files of the object cache.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use autojit_cache::{Directory, Kind};

use crate::kept::{self, Storage};
use crate::{Failure, process};

/// The cache that programs with this environment use.
pub fn directory() -> Result<Directory, Failure> {
    let variable = |name: &[u8]| {
        Some(std::env::var_os(OsString::from_vec(name.to_vec()))?.into_vec())
            .filter(|value| !value.is_empty())
    };
    Directory::locate(variable(b"AUTOJIT_CACHE_DIR").as_deref(), variable, u64::MAX).ok_or_else(|| {
        Failure::new(2, "no cache: neither AUTOJIT_CACHE_DIR nor XDG_CACHE_HOME nor HOME is set")
    })
}

/// What a kind of file is called.
fn name(kind: Option<Kind>) -> &'static str {
    match kind {
        Some(Kind::Code) => "code of modules",
        Some(Kind::Image) => "code of programs",
        Some(Kind::Lines) => "lines",
        Some(Kind::Same) => "code by content",
        Some(Kind::Ran) => "names of what ran",
        Some(Kind::Described) => "for debuggers",
        None => "being written",
    }
}

/// What the compiler wrappers keep in it.
fn kept(directory: &Directory) -> impl Iterator<Item = Storage> {
    let root = std::path::Path::new(std::ffi::OsStr::from_bytes(directory.root()));
    kept::Kind::ALL.into_iter().filter_map(|kind| Storage::open(root, kind))
}

/// Prints what the cache has.
pub fn print() -> Result<(), Failure> {
    let directory = directory()?;
    let files = directory.contents();
    let limit = process::variable("AUTOJIT_CACHE_SIZE").unwrap_or_else(|| "2G".into());
    println!("directory  {}", std::ffi::OsStr::from_bytes(directory.root()).display());
    println!("files      {}\nbytes      {}", files.len(), files.iter().map(|file| file.size).sum::<u64>());
    println!("limit      {}", limit.display());
    for kind in Kind::ALL.map(Some).into_iter().chain([None]) {
        let sizes: Vec<u64> = files.iter().filter(|file| file.kind == kind).map(|file| file.size).collect();
        if !sizes.is_empty() {
            println!("  {:<18} {:>7} files {:>13} bytes", name(kind), sizes.len(), sizes.iter().sum::<u64>());
        }
    }
    let live = directory.live_files();
    if !live.is_empty() {
        let (run, size) = (live.iter().filter(|file| file.runs).count(), live.iter().map(|file| file.size));
        println!("live files {}, {run} of running programs", live.len());
        println!("live bytes {}", size.sum::<u64>());
    }
    kept(&directory).for_each(|storage| print!("{}", storage.describe()));
    Ok(())
}

/// Removes what the cache has.
pub fn clear() -> Result<(), Failure> {
    let directory = directory()?;
    let mut code = directory.clear_live();
    code.extend(directory.clear());
    let code = code.iter().map(|(path, error)| format!("\n  {}: {error}", path.to_string_lossy()));
    let kept = kept(&directory).flat_map(|storage| storage.clear());
    let kept = kept.map(|path| format!("\n  {}: in use", path.display()));
    let left: String = code.chain(kept).collect();
    if left.is_empty() { Ok(()) } else { Err(Failure::new(1, format!("cannot remove{left}"))) }
}
