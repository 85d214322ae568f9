//! Live files: what the code of running programs lies in, if they are to be named there (AUTOJIT_NAMES; autojit_code::live).
//!
//! ```text
//! DIR/live/1234-56789-0         the first one of process 1234, which began 56789 ticks after the system
//! ```
//!
//! A process removes its own when it ends. Those of processes that could not (a signal, `_exit`), or are to keep them, are left
//! for readers of profiles and core files; later processes remove what is older than a day, and all but the newest 64.

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use autojit_sys::{self as sys, Errno, File};

use crate::directory::{Directory, c_path};

/// How long (in seconds) files of processes that have ended stay, and how many.
const AGE: i64 = 24 * 60 * 60;
const COUNT: usize = 64;

/// A live file.
#[derive(Debug)]
pub struct LiveFile {
    /// Where it is.
    pub path: CString,
    /// The bytes that it takes on the disk.
    pub size: u64,
    /// Whether its process runs, as far as this one sees.
    pub runs: bool,
    modified: i64,
}

impl Directory {
    /// Where live files are.
    pub fn live_path(&self) -> Vec<u8> {
        [self.root(), b"/live"].concat()
    }

    /// Makes a live file of this process, which may be written and read.
    ///
    /// # Errors
    /// The directory is another user's, or others may write it; or those of open(2).
    pub fn create_live(&self) -> Result<(File, CString), Errno> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let directory = self.live_path();
        self.make_in(&directory, &directory)?;
        let process = [&process_id()[..], b"-", &begin_of(b"self").unwrap_or_default()].concat();
        loop {
            let number = NUMBER.fetch_add(1, Relaxed);
            if number == 0 {
                self.sweep_live(&process);
            }
            let path = c_path(&[&directory, b"/", &process, b"-", number.to_string().as_bytes()]);
            let flags = libc::O_RDWR | libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
            match File::open(&path, flags, 0o600) {
                // Of a parent in another namespace, whose child has the same number here.
                Err(Errno(libc::EEXIST)) => {}
                result => return Ok((result?, path)),
            }
        }
    }

    /// The live files.
    pub fn live_files(&self) -> Vec<LiveFile> {
        let directory = self.live_path();
        let names = sys::list(&c_path(&[&directory])).unwrap_or_default();
        let found = names.iter().filter_map(|name| {
            let [process, begin, _] = parts(name)?;
            let path = c_path(&[&directory, b"/", name]);
            let status = sys::status(&path).ok()?;
            let runs = begin_of(process).as_deref() == Some(begin);
            let is_file = status.is_a(libc::S_IFREG);
            is_file.then_some(LiveFile { path, size: status.allocated, runs, modified: status.modified })
        });
        found.collect()
    }

    /// Removes the live files of processes that have ended, and the directory if it is empty. Returns those that could not be
    /// removed.
    pub fn clear_live(&self) -> Vec<(CString, Errno)> {
        let ended = self.live_files().into_iter().filter(|file| !file.runs);
        let left = ended.filter_map(|file| Some((sys::remove(&file.path).err()?, file.path)));
        let left = left.map(|(error, path)| (path, error)).collect();
        // It may not be empty.
        let _ = sys::remove_directory(&c_path(&[&self.live_path()]));
        left
    }

    /// Removes files that nothing will ask for; those of `process` are of the program that it was before execve(2).
    fn sweep_live(&self, process: &[u8]) {
        let own = [&self.live_path(), &b"/"[..], process, b"-"].concat();
        let (before, mut ended): (Vec<_>, Vec<_>) = self
            .live_files()
            .into_iter()
            .filter(|file| !file.runs || file.path.to_bytes().starts_with(&own))
            .partition(|file| file.runs);
        ended.sort_by_key(|file| -file.modified);
        let oldest = sys::now() - AGE;
        let outdated = ended
            .into_iter()
            .enumerate()
            .filter(|(number, file)| *number >= COUNT || file.modified < oldest)
            .map(|(_, file)| file);
        for file in before.into_iter().chain(outdated) {
            if let Err(error) = sys::remove(&file.path) {
                log::debug!("removing {}: {error}", file.path.to_string_lossy());
            }
        }
    }
}

/// The number of this process where /proc is.
fn process_id() -> Vec<u8> {
    sys::read_link(c"/proc/self").unwrap_or_else(|_| sys::process_id().to_string().into_bytes())
}

/// When a process began, in ticks (proc(5), the 22nd field of /proc/PID/stat). None if there is no such process.
fn begin_of(process: &[u8]) -> Option<Vec<u8>> {
    let path = c_path(&[b"/proc/", process, b"/stat"]);
    let text = File::open(&path, libc::O_RDONLY, 0).and_then(|file| file.read_to_end()).ok()?;
    // The program's name is in parentheses, and may be anything.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    text[end..].split(|byte| *byte == b' ').nth(20).map(<[u8]>::to_vec)
}

/// Process, begin and number in the name of a live file.
fn parts(name: &[u8]) -> Option<[&[u8]; 3]> {
    let mut parts = name.split(|byte| *byte == b'-');
    let parts = [parts.next()?, parts.next()?, parts.next().filter(|_| parts.next().is_none())?];
    let are_numbers = parts.iter().flat_map(|part| part.iter()).all(u8::is_ascii_digit);
    (are_numbers && !parts[0].is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_process() {
        assert_eq!(parts(b"12-345-0"), Some([&b"12"[..], b"345", b"0"]));
        assert_eq!([parts(b"12-345"), parts(b"12-345-0-1"), parts(b"a-1-0"), parts(b"-1-0")], [None; 4]);
        assert!(begin_of(b"self").is_some_and(|begin| begin.iter().all(u8::is_ascii_digit)));
        assert_eq!(begin_of(b"self"), begin_of(&process_id()));
        assert_eq!(begin_of(b"0"), None);
    }
}
