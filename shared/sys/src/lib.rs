//! Raw system calls: the only way in which the runtime talks to the kernel.
//!
//! The C library's wrappers are symbols that the program may have replaced, or whose bodies it may have made lazy, and
//! they write errno and are cancellation points. These here are neither. Everything returns a [`Errno`] by value.

use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

mod arch;
mod auxiliary;
mod directories;
mod files;
mod helper;
mod map;
mod memory;
mod shared_count;
mod signals;
mod sockets;
mod spawn;

pub use arch::{syscall, thread_pointer};
pub use auxiliary::*;
pub use directories::*;
pub use files::*;
pub use helper::{Helper, sleep_for};
pub use map::Map;
pub use memory::*;
pub use shared_count::SharedCount;
pub use signals::*;
pub use sockets::*;
pub use spawn::spawn;

/// An error number of the kernel's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // strerror would be the C library's, with its locale and its buffers.
        let text = match self.0 {
            libc::EPERM => "operation not permitted",
            libc::ENOENT => "no such file or directory",
            libc::EIO => "input/output error",
            libc::EBADF => "bad file descriptor",
            libc::ENOMEM => "out of memory",
            libc::EAGAIN => "a limit was reached, perhaps that of locked memory (`ulimit -l`)",
            libc::EACCES => "permission denied",
            libc::ENOTDIR => "not a directory",
            libc::EISDIR => "is a directory",
            libc::EINVAL => "invalid argument",
            libc::ENFILE => "too many open files in the system",
            libc::EMFILE => "too many open files",
            libc::EFBIG => "file too large",
            libc::ENOSPC => "no space left on device",
            libc::EROFS => "read-only file system",
            libc::ELOOP => "too many levels of symbolic links",
            libc::ENAMETOOLONG => "file name too long",
            libc::ECONNREFUSED => "connection refused",
            libc::ECONNRESET => "connection reset",
            libc::EPIPE => "broken pipe",
            libc::EADDRINUSE => "address already in use",
            other => return write!(f, "error {other}"),
        };
        f.write_str(text)
    }
}

/// Writes all of `bytes` to `descriptor`, or as much as it takes.
pub fn write(descriptor: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the kernel only reads the bytes.
        let result = unsafe {
            syscall(libc::SYS_write, [descriptor as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0])
        };
        match result {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno(libc::EINTR)) => {}
            Err(error) => return Err(signals::without_file_size_signal(error)),
        }
    }
    Ok(())
}

/// An open file, closed on drop.
#[derive(Debug)]
pub struct File(i32);

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        let _ = unsafe { syscall(libc::SYS_close, [self.0 as usize, 0, 0, 0, 0, 0]) };
    }
}

impl From<std::os::fd::OwnedFd> for File {
    fn from(descriptor: std::os::fd::OwnedFd) -> Self {
        use std::os::fd::IntoRawFd;
        Self(descriptor.into_raw_fd())
    }
}

impl File {
    /// Opens `path` with the flags `flags` (O_CLOEXEC is added) and, if it is created, the permissions `mode`.
    pub fn open(path: &CStr, flags: i32, mode: u32) -> Result<Self, Errno> {
        let flags = (flags | libc::O_CLOEXEC) as usize;
        loop {
            // SAFETY: the kernel reads the path up to its NUL.
            let result = unsafe {
                syscall(
                    libc::SYS_openat,
                    [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags, mode as usize, 0, 0],
                )
            };
            match result {
                Ok(descriptor) => return Ok(Self(descriptor as i32)),
                Err(Errno(libc::EINTR)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What tells the file from others: its device and inode.
    pub fn identity(&self) -> Result<(u64, u64), Errno> {
        Self::identity_of(self.0).ok_or(Errno(libc::EBADF))
    }

    /// [`identity`](Self::identity) of the file that is open under a number; None if there is none.
    pub fn identity_of(descriptor: i32) -> Option<(u64, u64)> {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the kernel writes a struct stat, and zeroes are one as well.
        let stat = unsafe {
            syscall(libc::SYS_fstat, [descriptor as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]).ok()?;
            stat.assume_init()
        };
        Some((stat.st_dev, stat.st_ino))
    }

    /// Makes `descriptor` another one of the file, closing what it was before.
    pub fn duplicate_to(&self, descriptor: i32) -> Result<(), Errno> {
        // SAFETY: takes no pointers. What is closed is the caller's.
        unsafe {
            syscall(libc::SYS_dup3, [self.0 as usize, descriptor as usize, libc::O_CLOEXEC as usize, 0, 0, 0])
        }
        .map(drop)
    }

    /// The descriptor.
    pub fn descriptor(&self) -> i32 {
        self.0
    }

    /// The file's size in bytes.
    pub fn size(&self) -> Result<usize, Errno> {
        let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
        // SAFETY: the kernel writes a struct stat, and zeroes are one as well.
        let stat = unsafe {
            syscall(libc::SYS_fstat, [self.0 as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0])?;
            stat.assume_init()
        };
        Ok(stat.st_size as usize)
    }

    /// Reads what follows, at most `bytes.len()` bytes; returns their number, 0 at the end.
    pub fn read(&self, bytes: &mut [u8]) -> Result<usize, Errno> {
        loop {
            // SAFETY: the kernel writes at most bytes.len() bytes there.
            let result = unsafe {
                syscall(libc::SYS_read, [self.0 as usize, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0])
            };
            match result {
                Err(Errno(libc::EINTR)) => {}
                result => return result,
            }
        }
    }

    /// Reads everything that follows.
    pub fn read_to_end(&self) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        loop {
            bytes.reserve(4096);
            let room = bytes.spare_capacity_mut();
            // SAFETY: the kernel writes at most room.len() bytes there.
            let result = unsafe {
                syscall(libc::SYS_read, [self.0 as usize, room.as_mut_ptr() as usize, room.len(), 0, 0, 0])
            };
            match result {
                Ok(0) => return Ok(bytes),
                // SAFETY: the kernel has written the first `count` bytes of the room.
                Ok(count) => unsafe { bytes.set_len(bytes.len() + count) },
                Err(Errno(libc::EINTR)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads `bytes.len()` bytes from `offset`, or as many as there are; returns their number.
    pub fn read_at(&self, offset: usize, bytes: &mut [u8]) -> Result<usize, Errno> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &mut bytes[done..];
            // SAFETY: the kernel writes at most rest.len() bytes there.
            let result = unsafe {
                let arguments =
                    [self.0 as usize, rest.as_mut_ptr() as usize, rest.len(), offset + done, 0, 0];
                syscall(libc::SYS_pread64, arguments)
            };
            match result {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(Errno(libc::EINTR)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_at(&self, offset: usize, bytes: &[u8]) -> Result<(), Errno> {
        let mut done = 0;
        while done < bytes.len() {
            let rest = &bytes[done..];
            // SAFETY: the kernel reads at most rest.len() bytes there.
            let result = unsafe {
                let arguments = [self.0 as usize, rest.as_ptr() as usize, rest.len(), offset + done, 0, 0];
                syscall(libc::SYS_pwrite64, arguments)
            };
            match result {
                Ok(count) => done += count,
                Err(Errno(libc::EINTR)) => {}
                Err(error) => return Err(signals::without_file_size_signal(error)),
            }
        }
        Ok(())
    }

    /// Locks the file, until all copies of the descriptor are closed.
    ///
    /// # Errors
    /// EWOULDBLOCK: it is locked by way of another descriptor.
    pub fn try_lock(&self) -> Result<(), Errno> {
        let operation = (libc::LOCK_EX | libc::LOCK_NB) as usize;
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_flock, [self.0 as usize, operation, 0, 0, 0, 0]) }.map(drop)
    }

    /// Maps the whole file, read-only. The file must not shrink in that time, as with any program that runs from a
    /// file.
    pub fn map(&self) -> Result<Map, Errno> {
        let size = self.size()?;
        if size == 0 {
            return Ok(Map::new(std::ptr::null(), size));
        }
        let protection = libc::PROT_READ as usize;
        // SAFETY: a fresh private mapping changes no other.
        let address = unsafe {
            syscall(libc::SYS_mmap, [0, size, protection, libc::MAP_PRIVATE as usize, self.0 as usize, 0])?
        };
        Ok(Map::new(address as *const u8, size))
    }
}

/// The first number that no descriptor of the process can have.
pub fn descriptor_limit() -> u64 {
    soft_limit(libc::RLIMIT_NOFILE)
}

/// Whether `path` can be read.
pub fn readable(path: &CStr) -> Result<(), Errno> {
    // SAFETY: the kernel reads the path up to its NUL.
    unsafe {
        syscall(
            libc::SYS_faccessat,
            [libc::AT_FDCWD as usize, path.as_ptr() as usize, libc::R_OK as usize, 0, 0, 0],
        )
    }
    .map(|_| ())
}

/// The working directory, without a NUL.
pub fn working_directory() -> Result<Vec<u8>, Errno> {
    let mut path = vec![0; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most path.len() bytes; the length it returns counts the NUL.
    let length = unsafe { syscall(libc::SYS_getcwd, [path.as_mut_ptr() as usize, path.len(), 0, 0, 0, 0])? };
    path.truncate(length - 1);
    Ok(path)
}

/// The string that `parts` make, up to the first NUL.
pub fn c_string(parts: &[&[u8]]) -> CString {
    let whole: Vec<u8> = parts.concat().into_iter().take_while(|&byte| byte != 0).collect();
    CString::new(whole).expect("cut at the first NUL")
}

/// `path`, made absolute: the program may change its working directory.
pub fn absolute(path: &[u8]) -> CString {
    let mut whole = Vec::new();
    if !path.starts_with(b"/")
        && let Ok(directory) = working_directory()
    {
        whole.extend_from_slice(&directory);
        whole.push(b'/');
    }
    whole.extend(path.iter().take_while(|&&byte| byte != 0));
    CString::new(whole).expect("cut at the first NUL")
}

/// What the symbolic link `path` says.
pub fn read_link(path: &CStr) -> Result<Vec<u8>, Errno> {
    let mut target = vec![0; libc::PATH_MAX as usize];
    // SAFETY: the kernel writes at most target.len() bytes.
    let length = unsafe {
        syscall(
            libc::SYS_readlink,
            [path.as_ptr() as usize, target.as_mut_ptr() as usize, target.len(), 0, 0, 0],
        )?
    };
    target.truncate(length);
    Ok(target)
}

/// Sleeps until woken, or returns at once if the word is not `expected`. Wakes up for no reason now and then.
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    let operation = (libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the kernel only reads the word.
    let _ =
        unsafe { syscall(libc::SYS_futex, [word.as_ptr() as usize, operation, expected as usize, 0, 0, 0]) };
}

/// Wakes up to `count` sleepers of the word.
pub fn futex_wake(word: &AtomicU32, count: i32) {
    let operation = (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as usize;
    // SAFETY: the kernel uses the word's address only.
    let _ = unsafe { syscall(libc::SYS_futex, [word.as_ptr() as usize, operation, count as usize, 0, 0, 0]) };
}

/// The calling thread's id.
pub fn thread_id() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { syscall(libc::SYS_gettid, [0; 6]) }.unwrap_or(0) as u32
}

/// How many processors the calling thread may use.
pub fn processors() -> usize {
    // As many as the kernel can be built for (NR_CPUS).
    let mut mask = [0_u64; 128];
    let arguments = [0, size_of_val(&mask), mask.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes into the mask, of this size.
    let _ = unsafe { syscall(libc::SYS_sched_getaffinity, arguments) };
    mask.iter().map(|word| word.count_ones() as usize).sum::<usize>().max(1)
}

/// The process's id.
pub fn process_id() -> u32 {
    // SAFETY: no arguments, cannot fail.
    unsafe { syscall(libc::SYS_getpid, [0; 6]) }.unwrap_or(0) as u32
}

/// Time since some fixed moment.
pub fn monotonic_time() -> Duration {
    time_of(libc::CLOCK_MONOTONIC)
}

/// How long processors have worked for the process, its threads together.
pub fn processor_time() -> Duration {
    time_of(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn time_of(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes a timespec.
    let _ =
        unsafe { syscall(libc::SYS_clock_gettime, [clock as usize, (&raw mut time) as usize, 0, 0, 0, 0]) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Sleeps until a signal's handler has run (for ever, as long as signals are blocked).
pub fn sleep() {
    // SAFETY: no memory is involved.
    let _ = unsafe { syscall(libc::SYS_pause, [0; 6]) };
}

/// Ends the process without running anything of the program's.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: no memory is involved.
        let _ = unsafe { syscall(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// The soft limit of a resource; no limit if the kernel does not tell.
pub fn soft_limit(resource: u32) -> u64 {
    let mut limit = libc::rlimit64 { rlim_cur: libc::RLIM64_INFINITY, rlim_max: libc::RLIM64_INFINITY };
    // SAFETY: process 0 is this one; the kernel writes a struct rlimit64.
    let _ =
        unsafe { syscall(libc::SYS_prlimit64, [0, resource as usize, 0, (&raw mut limit) as usize, 0, 0]) };
    limit.rlim_cur
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_open_map_and_read() {
        let file = File::open(c"/proc/self/exe", libc::O_RDONLY, 0).unwrap();
        let map = file.map().unwrap();
        assert_eq!(&map[..4], b"\x7fELF");
        assert_eq!(file.read_to_end().unwrap(), *map);
        assert_eq!(map.len(), map.keep().len());
        assert!(File::open(c"/dev/null", libc::O_RDONLY, 0).unwrap().map().unwrap().is_empty());
        assert_eq!(File::open(c"/nowhere", libc::O_RDONLY, 0).unwrap_err(), Errno(libc::ENOENT));
        assert_eq!(Errno(libc::ENOENT).to_string(), "no such file or directory");
        assert_eq!(readable(c"/nowhere"), Err(Errno(libc::ENOENT)));
        assert_eq!(readable(c"/proc/self/exe"), Ok(()));
    }

    #[test]
    fn paths_of_the_process() {
        let directory = working_directory().unwrap();
        assert_eq!(directory, std::env::current_dir().unwrap().into_os_string().into_encoded_bytes());
        let program = read_link(c"/proc/self/exe").unwrap();
        assert_eq!(program, std::env::current_exe().unwrap().into_os_string().into_encoded_bytes());
    }
}
