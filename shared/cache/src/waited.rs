//! For how long programs have run code that could be better: one figure for all that use the cache, so that many short
//! runs count like a long one.
//!
//! Layout of the file `.waited` beside the shards: nanoseconds, eight bytes, little-endian. One process at a time has it
//! locked.

use std::ffi::CStr;
use std::time::Duration;

use autojit_sys::{Errno, File};

use crate::directory::{Directory, FOREIGN, c_path};

/// The figure, locked until drop, or until a copy of the process has let go of it as well.
#[derive(Debug)]
pub struct Waited(File);

impl Directory {
    /// The figure, for this process alone.
    ///
    /// # Errors
    /// Another process has it; there is no cache yet; the file is another user's.
    pub fn lock_waited(&self) -> Result<Waited, Errno> {
        let file = self.open_figures(&self.waited_path(), libc::O_RDWR | libc::O_CREAT)?;
        file.try_lock()?;
        Ok(Waited(file))
    }

    /// What it is now; zero if there is none.
    pub fn waited(&self) -> Duration {
        let file = self.open_figures(&self.waited_path(), libc::O_RDONLY);
        file.map_or(Duration::ZERO, |file| Waited(file).get())
    }

    /// Opens a file of figures that processes change in place.
    pub(crate) fn open_figures(&self, path: &CStr, flags: i32) -> Result<File, Errno> {
        let flags = flags | libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = File::open(path, flags, 0o600)?;
        let status = file.status()?;
        let is_ours = status.is_a(libc::S_IFREG) && status.owner == self.user() && status.is_private();
        if is_ours { Ok(file) } else { Err(FOREIGN) }
    }

    pub(crate) fn waited_path(&self) -> std::ffi::CString {
        c_path(&[self.path(), b"/.waited"])
    }
}

impl Waited {
    /// What it is. A damaged file has waited for nothing.
    pub fn get(&self) -> Duration {
        let mut bytes = [0; 8];
        match self.0.read_at(0, &mut bytes) {
            Ok(8) => Duration::from_nanos(u64::from_le_bytes(bytes)),
            _ => Duration::ZERO,
        }
    }

    /// Sets it.
    ///
    /// # Errors
    /// Those of pwrite(2).
    pub fn set(&self, waited: Duration) -> Result<(), Errno> {
        self.0.write_at(0, &(waited.as_nanos() as u64).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time_counts() {
        let path = std::env::temp_dir().join(format!("autojit-waited-{}", std::process::id()));
        let directory = Directory::new(path.as_os_str().as_encoded_bytes(), 0, 1 << 20);
        assert_eq!(directory.lock_waited().unwrap_err(), Errno(libc::ENOENT));
        assert_eq!(directory.waited(), Duration::ZERO);
        directory.write(&[7; 32], &[]).unwrap();
        let first = directory.lock_waited().unwrap();
        assert_eq!(directory.lock_waited().unwrap_err(), Errno(libc::EWOULDBLOCK));
        first.set(first.get() + Duration::from_millis(3)).unwrap();
        drop(first);
        assert_eq!(directory.waited(), Duration::from_millis(3));
        std::fs::write(path.join("code/.waited"), "damaged").unwrap();
        assert_eq!(directory.lock_waited().unwrap().get(), Duration::ZERO);
        assert!(directory.clear().is_empty());
        assert!(!path.join("code").exists());
        std::fs::remove_dir_all(path).unwrap();
    }
}
