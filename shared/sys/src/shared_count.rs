//! A number that processes share which know of each other by the environment alone: a page of a file in memory.

use std::ffi::CStr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{Errno, File, syscall};

/// The first word of the page.
const MAGIC: u64 = u64::from_le_bytes(*b"autojit1");
/// The size of the file.
const PAGE: usize = 4096;
/// The file keeps its size, so that its page can be used whatever others do with the file.
const SEALS: i32 = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;

/// The number. Its page stays mapped.
#[derive(Clone, Copy, Debug)]
pub struct SharedCount(&'static [AtomicU64; 2]);

impl SharedCount {
    /// A number of 0, and its file. Others find it as /proc/PID/fd/N, as long as a process has it open.
    ///
    /// # Errors
    /// Those of memfd_create(2), ftruncate(2), fcntl(2) and mmap(2).
    pub fn new() -> Result<(Self, File), Errno> {
        let file = File::memory_to_seal(c"autojit-count")?;
        // Written, as a page that is only reserved may be missing later.
        crate::write(file.descriptor(), &[MAGIC.to_ne_bytes(), [0; 8]].concat())?;
        file.set_size(PAGE)?;
        let arguments = [file.descriptor() as usize, libc::F_ADD_SEALS as usize, SEALS as usize, 0, 0, 0];
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_fcntl, arguments) }?;
        Ok((Self::map(&file)?, file))
    }

    /// The number whose file is found at `path`; None if there is none, or something else is found.
    pub fn open(path: &CStr) -> Option<Self> {
        let file = File::open(path, libc::O_RDWR | libc::O_NONBLOCK | libc::O_NOCTTY, 0).ok()?;
        let arguments = [file.descriptor() as usize, libc::F_GET_SEALS as usize, 0, 0, 0, 0];
        // SAFETY: takes no pointers.
        let seals = unsafe { syscall(libc::SYS_fcntl, arguments) }.ok()? as i32;
        if seals & SEALS != SEALS || file.size() != Ok(PAGE) {
            return None;
        }
        let count = Self::map(&file).ok()?;
        (count.0[0].load(Relaxed) == MAGIC).then_some(count)
    }

    fn map(file: &File) -> Result<Self, Errno> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: not MAP_FIXED.
        let address = unsafe { file.map_at(0, PAGE, protection, libc::MAP_SHARED, 0) }?;
        // SAFETY: a page that stays mapped, of a file that keeps its size; its words are only used atomically.
        Ok(Self(unsafe { &*(address as *const [AtomicU64; 2]) }))
    }

    /// Adds to it; what is subtracted wraps around.
    pub fn add(self, amount: u64) {
        self.0[1].fetch_add(amount, Relaxed);
    }

    /// Sets it.
    pub fn set(self, value: u64) {
        self.0[1].store(value, Relaxed);
    }

    /// Its value.
    pub fn get(self) -> u64 {
        self.0[1].load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;

    fn path(file: &File) -> CString {
        CString::new(format!("/proc/self/fd/{}", file.descriptor())).unwrap()
    }

    #[test]
    fn both_see_one_number() {
        let (count, file) = SharedCount::new().unwrap();
        let other = SharedCount::open(&path(&file)).unwrap();
        other.add(7);
        count.add(0_u64.wrapping_sub(2));
        assert_eq!((count.get(), other.get()), (5, 5));
        assert!(file.set_size(0).is_err(), "its page cannot be taken away");
    }

    #[test]
    fn other_files_are_left_alone() {
        let plain = File::memory(c"plain").unwrap();
        plain.set_size(PAGE).unwrap();
        assert!(SharedCount::open(&path(&plain)).is_none());
        let sealed = File::sealed(c"sealed", &[&[0; PAGE]]).unwrap();
        assert!(SharedCount::open(&path(&sealed)).is_none());
        assert!(SharedCount::open(c"/dev/null").is_none());
        assert!(SharedCount::open(c"/no/such/file").is_none());
    }
}
