//! The system calls of this crate, made directly: the libc wrappers can be replaced by the program (or be lazily
//! compiled functions of it), and they write `errno`, which belongs to the code that was interrupted by a first call.

use std::arch::asm;
use std::sync::atomic::AtomicU32;

/// An error number (`errno(3)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

/// Makes a system call.
///
/// # Safety
/// That of the system call with these arguments.
unsafe fn syscall(number: i64, arguments: [usize; 6]) -> Result<usize, Errno> {
    let result: isize;
    // SAFETY: the kernel's x86-64 convention: number and result in rax, rcx and r11 clobbered, nothing else; what the
    // call itself does is the caller's responsibility.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") arguments[0],
            in("rsi") arguments[1],
            in("rdx") arguments[2],
            in("r10") arguments[3],
            in("r8") arguments[4],
            in("r9") arguments[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // The kernel's errors are -4095 to -1.
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

/// `mmap(2)` of anonymous memory.
///
/// # Safety
/// With MAP_FIXED in `flags`: nothing may use what is mapped at `address..address + len`.
pub unsafe fn mmap(address: usize, len: usize, prot: i32, flags: i32) -> Result<usize, Errno> {
    let flags = flags | libc::MAP_ANONYMOUS;
    // SAFETY: what it replaces is the caller's responsibility; otherwise a new mapping touches nothing.
    unsafe { syscall(libc::SYS_mmap, [address, len, prot as usize, flags as usize, usize::MAX, 0]) }
}

/// `munmap(2)`.
///
/// # Safety
/// Nothing may use the range any more.
pub unsafe fn munmap(address: usize, len: usize) {
    // It fails only for arguments that are no page range, or for want of a VMA to split: then the range stays mapped.
    // SAFETY: the range is unused (caller).
    let _ = unsafe { syscall(libc::SYS_munmap, [address, len, 0, 0, 0, 0]) };
}

/// Brings writable pages into memory at once. Where the system cannot (Linux 5.14 can), they come one by one.
pub fn populate(address: usize, len: usize) {
    // SAFETY: it changes no bytes.
    let _ =
        unsafe { syscall(libc::SYS_madvise, [address, len, libc::MADV_POPULATE_WRITE as usize, 0, 0, 0]) };
}

/// `mprotect(2)`.
///
/// # Safety
/// Nothing may depend on a permission of the range that is taken away.
pub unsafe fn mprotect(address: usize, len: usize, prot: i32) -> Result<(), Errno> {
    // SAFETY: the caller's.
    unsafe { syscall(libc::SYS_mprotect, [address, len, prot as usize, 0, 0, 0]) }.map(drop)
}

/// Leaves of the permissions of executable pages only that to execute them, as the kernel has it. Its way of making
/// execute-only memory of protection keys is avoided: `pkey_mprotect(2)` names the key that everything has. Processors
/// without such keys refuse that call, and know no execute-only memory.
///
/// # Safety
/// If they cannot be read afterwards, nothing may read them: see [`is_readable`].
pub unsafe fn execute_only(address: usize, len: usize) -> Result<(), Errno> {
    let permissions = libc::PROT_EXEC;
    // SAFETY: the caller's.
    unsafe {
        match syscall(libc::SYS_pkey_mprotect, [address, len, permissions as usize, 0, 0, 0]) {
            Err(Errno(libc::EINVAL)) => mprotect(address, len, permissions),
            other => other.map(drop),
        }
    }
}

/// Whether the calling thread can read the 8 bytes at `address`.
pub fn is_readable(address: usize) -> bool {
    // The kernel reads the set before it looks at what is to be done with it, for which there is no such number.
    const NOTHING: usize = usize::MAX;
    const SET: usize = 8;
    // SAFETY: changes nothing.
    unsafe { syscall(libc::SYS_rt_sigprocmask, [NOTHING, address, 0, SET, 0, 0]) == Err(Errno(libc::EINVAL)) }
}

/// `mremap(2)`: moves the mapping `from..from + len` to `to`, in place of what is there.
///
/// # Safety
/// Nothing may use `from`, nor what is at `to` in a way that its new content does not fit.
pub unsafe fn move_mapping(from: usize, len: usize, to: usize) -> Result<(), Errno> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller's.
    unsafe { syscall(libc::SYS_mremap, [from, len, len, flags as usize, to, 0]) }.map(drop)
}

/// `mremap(2)` of nothing: maps the shared pages of `from..from + len` at `to` as well, in place of what is there.
///
/// # Safety
/// Nothing may use what is at `to`.
pub unsafe fn map_again(from: usize, len: usize, to: usize) -> Result<(), Errno> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller's.
    unsafe { syscall(libc::SYS_mremap, [from, 0, len, flags as usize, to, 0]) }.map(drop)
}

/// The soft limit of the process's address space in bytes, usize::MAX if there is none.
pub fn address_space_limit() -> usize {
    soft_limit(libc::RLIMIT_AS)
}

/// The soft limit of the files that the process writes in bytes, usize::MAX if there is none.
pub fn file_size_limit() -> usize {
    soft_limit(libc::RLIMIT_FSIZE)
}

fn soft_limit(resource: libc::__rlimit_resource_t) -> usize {
    let mut limit = libc::rlimit64 { rlim_cur: libc::RLIM64_INFINITY, rlim_max: libc::RLIM64_INFINITY };
    // SAFETY: process 0 is this one; the kernel writes a struct rlimit64.
    let _ =
        unsafe { syscall(libc::SYS_prlimit64, [0, resource as usize, 0, (&raw mut limit) as usize, 0, 0]) };
    limit.rlim_cur as usize
}

/// A file descriptor, closed on drop.
#[derive(Debug)]
pub struct Fd(i32);

impl Fd {
    /// Opens a file for reading.
    pub fn open(path: &std::ffi::CStr) -> Result<Self, Errno> {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: the path is NUL-terminated.
        let fd = unsafe {
            syscall(
                libc::SYS_openat,
                [libc::AT_FDCWD as usize, path.as_ptr() as usize, flags as usize, 0, 0, 0],
            )?
        };
        Ok(Self(fd as i32))
    }

    /// An anonymous file of `len` zero bytes.
    pub fn memory(name: &std::ffi::CStr, len: usize) -> Result<Self, Errno> {
        let create = |flags: u32| {
            // SAFETY: the name is NUL-terminated.
            unsafe { syscall(libc::SYS_memfd_create, [name.as_ptr() as usize, flags as usize, 0, 0, 0, 0]) }
        };
        // NOEXEC_SEAL (Linux 6.3) forbids execve of the file, not executable mappings; where the system insists
        // (vm.memfd_noexec=2) nothing else is allowed. Older kernels do not know the flag.
        let fd = match create(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL) {
            Err(Errno(libc::EINVAL)) => create(libc::MFD_CLOEXEC),
            other => other,
        }?;
        let file = Self(fd as i32);
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_ftruncate, [fd, len, 0, 0, 0, 0])? };
        Ok(file)
    }

    /// Maps its first `len` bytes. `flags` has MAP_SHARED or MAP_PRIVATE.
    ///
    /// # Safety
    /// With MAP_FIXED in `flags`: nothing may use what is mapped at `address..address + len`.
    pub unsafe fn map(&self, address: usize, len: usize, prot: i32, flags: i32) -> Result<usize, Errno> {
        // SAFETY: what it replaces is the caller's responsibility; otherwise a new mapping touches nothing.
        unsafe { syscall(libc::SYS_mmap, [address, len, prot as usize, flags as usize, self.0 as usize, 0]) }
    }

    /// `read(2)`; 0 at the end of the file.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, Errno> {
        loop {
            // SAFETY: the buffer is writable for its length.
            let result = unsafe {
                let (data, len) = (buffer.as_mut_ptr() as usize, buffer.len());
                syscall(libc::SYS_read, [self.0 as usize, data, len, 0, 0, 0])
            };
            if result != Err(Errno(libc::EINTR)) {
                return result;
            }
        }
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours.
        let _ = unsafe { syscall(libc::SYS_close, [self.0 as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Sleeps while `word` is `expected`; may wake for no reason.
pub fn futex_wait(word: &AtomicU32, expected: u32) {
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word outlives the call; no time limit (null).
    let _ = unsafe {
        syscall(libc::SYS_futex, [word.as_ptr() as usize, operation as usize, expected as usize, 0, 0, 0])
    };
}

/// Wakes one sleeper of `word`.
pub fn futex_wake(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: only the word's address is used.
    let _ = unsafe { syscall(libc::SYS_futex, [word.as_ptr() as usize, operation as usize, 1, 0, 0, 0]) };
}
