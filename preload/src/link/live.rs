//! Live files (AUTOJIT_NAMES): the code lies in ELF files in the cache's directory, under names that tools can open.
//!
//! Receives published code, adds its functions to the file that it lies in (autojit_code::live). The files are removed when the
//! process exits.

use std::ffi::CString;
use std::sync::OnceLock;

use autojit_cache::Directory;
use autojit_code::live::{self, Failure, Source};

use crate::link::listeners::{Listener, Published};
use crate::platform::guards::SignalGuard;
use crate::program::fork::ForkGuard;
use crate::program::image::{self, Image};
use crate::program::unwind_table;
use crate::settings::options::{self, Names, Options};
use crate::sys::{Errno, File};

static DIRECTORY: OnceLock<Option<Directory>> = OnceLock::new();

/// Has code lie in files, if the options say so.
pub fn begin(options: &Options) {
    if options.names != Names::Memory {
        let directory = || Directory::locate(options.cache_dir.as_deref(), options::variable, u64::MAX);
        DIRECTORY.get_or_init(directory);
        live::begin(Source { create, failed });
    }
}

fn create() -> Result<(File, CString), Failure> {
    let directory = DIRECTORY.get().and_then(Option::as_ref).ok_or_else(|| Failure {
        what: "finding AUTOJIT_CACHE_DIR, XDG_CACHE_HOME or HOME in",
        path: c"the environment".into(),
        error: Errno(libc::ENOENT),
    })?;
    directory.create_live().map_err(|error| Failure {
        what: "making a file in",
        path: crate::sys::c_string(&[&directory.live_path()]),
        error,
    })
}

fn failed(failure: &Failure) {
    let Failure { what, path, error } = failure;
    let advice = match error.0 {
        libc::EMFILE | libc::ENFILE | libc::EFBIG | libc::ENOMEM => "raise the limit (ulimit)",
        _ => "set AUTOJIT_CACHE_DIR to a directory with room, on a file system without noexec",
    };
    log::warn!(
        "AUTOJIT_NAMES: {what} {}: {error}; tools that open files will not find names of what is compiled from now on; {advice}",
        path.to_string_lossy()
    );
}

/// Adds functions to the file that they lie in.
#[derive(Debug)]
pub struct LiveFiles;

impl Listener for LiveFiles {
    fn published(&self, published: &mut Published<'_>) {
        if !live::are_wanted() || published.code.text.is_empty() {
            return;
        }
        let start = published.code.text.start;
        if let Some(area) = published.memory.area_of(start) {
            area.describe(unwind_table::TABLE.symbols(start), unwind_table::TABLE.fdes(start));
        }
    }
}

/// At exit, when whatever the program does then, such as a report of leaks, is done: removes the files, unless they are to stay.
pub fn remove() {
    if !live::are_wanted() || options::names() == Names::Keep {
        return;
    }
    live::end();
    let _uninterrupted = SignalGuard::new();
    let _fork_guard = ForkGuard::enter();
    let memories = image::all().filter_map(Image::reserved_memory);
    memories.flat_map(|memory| memory.areas()).for_each(|area| area.remove_file());
}
