//! Puts a container where the runtime will find it: into the object, or into the store directory.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::container::Encoded;
use crate::options::{Options, Store};

/// Where a container lies.
#[derive(Debug)]
pub enum Stored {
    /// In the object; it is still to be added to the module.
    Embedded,
    /// In a file in this directory, an absolute path.
    Directory(PathBuf),
}

/// Writes the container's file if the options ask for a directory and the object stays with it.
pub fn write(options: &Options, encoded: &Encoded) -> Result<Stored, String> {
    let Store::Directory(directory) = &options.store else { return Ok(Stored::Embedded) };
    let directory = Path::new(OsStr::from_bytes(directory));
    if is_cached() {
        options
            .info("AUTOJIT_STORE is not used: ccache keeps the object, which must not need a file elsewhere");
        return Ok(Stored::Embedded);
    }
    let explain = |what: &str, error: std::io::Error| {
        format!(
            "cannot keep its functions in the store: {what}: {error}; set AUTOJIT_STORE to a writable directory, \
             or to embed"
        )
    };
    std::fs::create_dir_all(directory)
        .map_err(|e| explain(&format!("cannot create the directory {}", directory.display()), e))?;
    let absolute = std::fs::canonicalize(directory)
        .map_err(|e| explain(&format!("cannot resolve the path {}", directory.display()), e))?;
    let path = absolute.join(autojit_store::file_name(&encoded.key));
    write_whole(&path, &encoded.bytes)
        .map_err(|e| explain(&format!("cannot write {}", path.display()), e))?;
    Ok(Stored::Directory(absolute))
}

/// Whether ccache is going to keep the object: it would hand it out when the directory is long gone.
fn is_cached() -> bool {
    // Set for the compiler when its result is going to be kept, by all versions since 3.3.
    std::env::var_os("UNCACHED_ERR_FD").is_some()
}

/// Writes a file under a temporary name and renames it, so that it appears whole or not at all. Two compilers may
/// write the same container: both write the same bytes.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|found| found.len() == bytes.len() as u64) {
        // Named by its content; an alteration is found when it is read. Written again if unsure.
        if std::fs::read(path).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
    }
    let mut attempt = 0;
    loop {
        let temporary = path.with_extension(format!("tmp{}-{attempt}", std::process::id()));
        let mut file = match std::fs::File::create_new(&temporary) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::AlreadyExists && attempt < 100 => {
                attempt += 1;
                continue;
            }
            Err(e) => return Err(e),
        };
        let written = file.write_all(bytes).and_then(|()| std::fs::rename(&temporary, path));
        if written.is_err() {
            // The error that is told is the first one.
            let _ = std::fs::remove_file(&temporary);
        }
        return written;
    }
}
