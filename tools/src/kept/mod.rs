//! What the wrappers keep from one run of the compiler to the next: preambles ([`crate::preamble`]) and plans of links
//! ([`crate::plan`]).
//!
//! It is found by a [`key`], lies in [`storage`], is used while all holds that its [`manifest`] lists, and is [made](making)
//! in the background, where a [`trace`] takes down what the compiler looks at.

mod key;
pub mod making;
mod manifest;
mod storage;
pub mod trace;

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use autojit_options::Options;

pub use key::Key;
pub use manifest::{Found, Identity, Manifest};
pub use storage::{Event, Kind, Lookup, Seen, Storage, create};

/// What could not be made for a reason that no file tells is tried again after so long.
const RETRY: Duration = Duration::from_secs(24 * 60 * 60);

/// The directory of the cache that this environment names.
pub fn root(options: &Options) -> Option<PathBuf> {
    let variable = |name: &[u8]| {
        Some(std::env::var_os(OsStr::from_bytes(name))?.into_vec()).filter(|value| !value.is_empty())
    };
    let (root, given) = autojit_sys::cache_root(options.cache_dir.as_deref(), variable)?;
    // A home that is not there is not made.
    let home = Path::new(OsStr::from_bytes(&root[..given]));
    (given == 0 || home.is_dir()).then(|| PathBuf::from(OsStr::from_bytes(&root)))
}

/// What becomes of a command that may have something kept.
pub enum Answer {
    /// It uses what the manifest describes, which is locked while the file is open.
    Use(Manifest, File),
    /// It is plain, for a reason that is counted.
    Plain,
    /// It is plain for this reason, not counted yet, and what it lacks may be made.
    Lacks(Event),
}

impl Answer {
    /// Of a command with a key, for a source. `fits`: whether the source may use what there is.
    pub fn of(storage: &Storage, key: &Key, source: &Path, fits: impl FnOnce(&Manifest) -> bool) -> Self {
        let plain = |event| {
            storage.count(event);
            Self::Plain
        };
        match storage.find(key) {
            Lookup::Missing => Self::Lacks(Event::None),
            Lookup::Damaged => Self::Lacks(Event::Damaged),
            Lookup::Found(manifest, _) if !fits(&manifest) => plain(Event::Refused),
            Lookup::Found(manifest, _) if manifest.difference().is_some() => Self::Lacks(Event::Changed),
            Lookup::Found(manifest, file) if manifest.stem.is_empty() => match is_to_be_retried(&file) {
                true => Self::Lacks(Event::Changed),
                false => plain(Event::Refused),
            },
            Lookup::Found(..) if storage.spoke(key, source) => plain(Event::Spoke),
            Lookup::Found(manifest, file) => Self::Use(manifest, file),
        }
    }
}

/// Whether what could not be made when the manifest in `file` was written is tried again.
fn is_to_be_retried(file: &File) -> bool {
    let made = file.metadata().and_then(|metadata| metadata.modified());
    !made.is_ok_and(|made| made.elapsed().is_ok_and(|age| age < RETRY))
}

/// A file in memory, for what a program prints.
pub fn memory() -> Option<File> {
    // SAFETY: the name is a C string; a descriptor that is returned is this process's own.
    unsafe {
        let descriptor = libc::memfd_create(c"messages".as_ptr(), libc::MFD_CLOEXEC);
        (descriptor >= 0).then(|| File::from_raw_fd(descriptor))
    }
}
