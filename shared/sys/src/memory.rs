//! Pages: mapped, protected, moved, given back; and files that live in memory.

use std::ffi::CStr;
use std::ops::Range;

use crate::signals::without_file_size_signal;
use crate::{Errno, File, syscall};

/// Maps anonymous memory (`mmap(2)`); the protections and flags are those of the call.
///
/// # Safety
/// With MAP_FIXED in `flags`: what is mapped at `[address, address + size)` must not be in use.
pub unsafe fn map_anonymous(
    address: usize,
    size: usize,
    protection: i32,
    flags: i32,
) -> Result<usize, Errno> {
    let flags = (flags | libc::MAP_ANONYMOUS) as usize;
    // SAFETY: what it replaces is not in use (caller); any other new mapping touches nothing.
    unsafe { syscall(libc::SYS_mmap, [address, size, protection as usize, flags, usize::MAX, 0]) }
}

/// Fresh zeroed pages, readable and writable; `size` is a multiple of the page size.
pub fn map_pages(size: usize) -> Result<*mut u8, Errno> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: not MAP_FIXED.
    unsafe { map_anonymous(0, size, protection, libc::MAP_PRIVATE | libc::MAP_NORESERVE) }
        .map(|address| address as *mut u8)
}

/// Fresh zeroed pages, readable and writable, which copies of the process share; `size` is a multiple of the page size.
pub fn map_shared_pages(size: usize) -> Result<*mut u8, Errno> {
    // SAFETY: not MAP_FIXED.
    unsafe { map_anonymous(0, size, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED) }
        .map(|address| address as *mut u8)
}

/// Address space of `size` bytes, a multiple of the page size, without permissions yet.
pub fn reserve_pages(size: usize) -> Result<usize, Errno> {
    // SAFETY: not MAP_FIXED.
    unsafe { map_anonymous(0, size, libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_NORESERVE) }
}

/// Sets the protection of pages (`mprotect(2)`).
///
/// # Safety
/// Nothing may depend on a permission of the range that is taken away.
pub unsafe fn protect_pages(address: usize, size: usize, protection: i32) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { syscall(libc::SYS_mprotect, [address, size, protection as usize, 0, 0, 0]) }.map(drop)
}

/// Leaves of the permissions of executable pages only that to execute them, as the kernel lists it. The kernel's way of
/// making execute-only memory of protection keys is avoided: `pkey_mprotect(2)` names the key that everything has.
/// Processors without such keys refuse that call, and know no execute-only memory: true if it is so, and the pages can be
/// read.
///
/// # Safety
/// If they cannot be read afterwards, nothing may read them: see [`is_readable`].
pub unsafe fn protect_execute_only(address: usize, size: usize) -> Result<bool, Errno> {
    let protection = libc::PROT_EXEC;
    // SAFETY: the caller's promise.
    unsafe {
        match syscall(libc::SYS_pkey_mprotect, [address, size, protection as usize, 0, 0, 0]) {
            Err(Errno(libc::EINVAL)) => protect_pages(address, size, protection).map(|()| true),
            other => other.map(|_| false),
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

/// Keeps pages in memory; with `on_fault`, those that are not there yet once they are used.
pub fn lock_pages(range: &Range<usize>, on_fault: bool) -> Result<(), Errno> {
    let flags = if on_fault { libc::MLOCK_ONFAULT as usize } else { 0 };
    // SAFETY: changes nothing but where the pages are.
    unsafe { syscall(libc::SYS_mlock2, [range.start, range.len(), flags, 0, 0, 0]) }.map(drop)
}

/// Brings writable pages into memory at once. Where the system cannot (Linux 5.14 can), they come one by one.
pub fn populate_pages(address: usize, size: usize) {
    let arguments = [address, size, libc::MADV_POPULATE_WRITE as usize, 0, 0, 0];
    // SAFETY: it changes no bytes.
    let _ = unsafe { syscall(libc::SYS_madvise, arguments) };
}

/// Gives pages back (`munmap(2)`). It fails only for arguments that are no page range, or for want of a VMA to split: then
/// the range stays mapped.
///
/// # Safety
/// Nothing may use `[address, address + size)` any more.
pub unsafe fn unmap_pages(address: usize, size: usize) {
    // SAFETY: the caller's promise.
    let _ = unsafe { syscall(libc::SYS_munmap, [address, size, 0, 0, 0, 0]) };
}

/// Moves pages to a mapping of another size (`mremap(2)`); what is new is zero.
///
/// # Safety
/// As [`unmap_pages`]; the old address is dead when this succeeds.
pub unsafe fn resize_pages(address: *mut u8, old: usize, new: usize) -> Result<*mut u8, Errno> {
    // SAFETY: the caller's promise.
    unsafe { syscall(libc::SYS_mremap, [address as usize, old, new, libc::MREMAP_MAYMOVE as usize, 0, 0]) }
        .map(|address| address as *mut u8)
}

/// Moves the pages `[from, from + size)` to `to`, in place of what is there (`mremap(2)`).
///
/// # Safety
/// `from` must not be in use, nor `to` in a way that its new content does not fit.
pub unsafe fn move_pages(from: usize, size: usize, to: usize) -> Result<(), Errno> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller's promise.
    unsafe { syscall(libc::SYS_mremap, [from, size, size, flags as usize, to, 0]) }.map(drop)
}

/// Maps the shared pages of `[from, from + size)` at `to` as well, in place of what is there (`mremap(2)` of nothing).
///
/// # Safety
/// What is at `to` must not be in use.
pub unsafe fn map_pages_again(from: usize, size: usize, to: usize) -> Result<(), Errno> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: the caller's promise.
    unsafe { syscall(libc::SYS_mremap, [from, 0, size, flags as usize, to, 0]) }.map(drop)
}

/// Makes the kernel zero these pages in a child that comes without shared memory (fork, clone without CLONE_VM).
///
/// # Safety
/// `[address, address + size)` must be pages that [`map_pages`] has mapped, and hold nothing that the child needs.
pub unsafe fn wipe_on_fork(address: *mut u8, size: usize) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    unsafe { syscall(libc::SYS_madvise, [address as usize, size, libc::MADV_WIPEONFORK as usize, 0, 0, 0]) }
        .map(drop)
}

/// Gives the memory of a mapped file back; what is read of it later comes from the file again.
pub fn release_pages(file: &'static [u8]) {
    let arguments = [file.as_ptr() as usize, file.len(), libc::MADV_DONTNEED as usize, 0, 0, 0];
    // SAFETY: a mapping that is lent for ever is not written to, so the file has all that is in it.
    let _ = unsafe { syscall(libc::SYS_madvise, arguments) };
}

impl File {
    /// A file without a name that lives in memory. It can be mapped executable, and cannot be executed itself.
    pub fn memory(name: &CStr) -> Result<Self, Errno> {
        let create = |flags: u32| {
            // SAFETY: the kernel reads the name up to its NUL.
            unsafe { syscall(libc::SYS_memfd_create, [name.as_ptr() as usize, flags as usize, 0, 0, 0, 0]) }
        };
        // NOEXEC_SEAL (Linux 6.3) forbids execve of the file, not executable mappings; where the system insists
        // (vm.memfd_noexec=2) nothing else is allowed. Older kernels do not know the flag.
        match create(libc::MFD_CLOEXEC | libc::MFD_NOEXEC_SEAL) {
            Err(Errno(libc::EINVAL)) => create(libc::MFD_CLOEXEC),
            other => other,
        }
        .map(|descriptor| Self(descriptor as i32))
    }

    /// Makes the file `size` bytes long; what is new is zero.
    pub fn set_size(&self, size: usize) -> Result<(), Errno> {
        // SAFETY: takes no pointers.
        unsafe { syscall(libc::SYS_ftruncate, [self.0 as usize, size, 0, 0, 0, 0]) }
            .map(drop)
            .map_err(without_file_size_signal)
    }

    /// Takes room on the disk for `len` bytes from `offset`, which keep what they are, or are zero.
    pub fn allocate(&self, offset: usize, len: usize) -> Result<(), Errno> {
        loop {
            // SAFETY: takes no pointers.
            match unsafe { syscall(libc::SYS_fallocate, [self.0 as usize, 0, offset, len, 0, 0]) } {
                Err(Errno(libc::EINTR)) => {}
                result => return result.map(drop).map_err(without_file_size_signal),
            }
        }
    }

    /// Maps `size` bytes from `offset`. `flags` has MAP_SHARED or MAP_PRIVATE.
    ///
    /// # Safety
    /// With MAP_FIXED in `flags`: what is mapped at `[address, address + size)`, up to the end of its last page, must not be in
    /// use. All must be multiples of the page size, but for `size`.
    pub unsafe fn map_at(
        &self,
        address: usize,
        size: usize,
        protection: i32,
        flags: i32,
        offset: usize,
    ) -> Result<usize, Errno> {
        let arguments = [address, size, protection as usize, flags as usize, self.0 as usize, offset];
        // SAFETY: what it replaces is not in use (caller); any other new mapping touches nothing.
        unsafe { syscall(libc::SYS_mmap, arguments) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn files_in_memory_are_mapped_twice() {
        const PAGE: usize = 4096;
        let file = File::memory(c"test").unwrap();
        file.set_size(PAGE).unwrap();
        // SAFETY: fresh mappings of the same page, used here only.
        unsafe {
            let writable =
                file.map_at(0, PAGE, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, 0).unwrap();
            let executable =
                file.map_at(0, PAGE, libc::PROT_READ | libc::PROT_EXEC, libc::MAP_SHARED, 0).unwrap();
            (writable as *mut u64).write(7);
            assert_eq!((executable as *const u64).read(), 7);
            assert!(is_readable(executable));
            assert!(!is_readable(0));
            unmap_pages(writable, PAGE);
            unmap_pages(executable, PAGE);
        }
    }

    #[test]
    fn pages_are_wiped_in_a_child() {
        let page = map_pages(4096).unwrap();
        // SAFETY: the page is ours; the child only looks at it and leaves.
        unsafe {
            page.write(7);
            wipe_on_fork(page, 4096).unwrap();
            let child = libc::fork();
            if child == 0 {
                exit(i32::from(page.read()));
            }
            let mut status = 0;
            libc::waitpid(child, &mut status, 0);
            assert_eq!(libc::WEXITSTATUS(status), 0);
            assert_eq!(page.read(), 7);
            unmap_pages(page as usize, 4096);
        }
    }
}
