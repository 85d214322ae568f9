//! What is mapped for libraries of ours: they themselves, and what they map through these substitutes of the C
//! library's functions. A program that locks its memory is not to lock that (`locked.rs`).

use std::ffi::{c_int, c_void};
use std::ops::Range;

use autojit_code::lock::{ForkLock, Lock};

use crate::platform::c_library;
use crate::sys::{self, Errno};

/// Ranges, in no order.
static MAPPED: Lock<Vec<Range<usize>>> = Lock::new(Vec::new());

/// A fork waits until no range is being noted.
pub static FORK_LOCK: &dyn ForkLock = &MAPPED;

/// What is mapped for libraries.
pub fn mapped() -> Vec<Range<usize>> {
    MAPPED.lock().clone()
}

/// Notes a mapping.
pub fn note(range: Range<usize>) {
    MAPPED.lock().push(range);
}

/// Notes that nothing of it is mapped any more.
fn forget(range: &Range<usize>) {
    let mut mapped = MAPPED.lock();
    let mut rest = Vec::new();
    mapped.retain(|other| {
        let apart = other.end <= range.start || range.end <= other.start;
        if !apart {
            rest.push(other.start..range.start.max(other.start));
            rest.push(range.end.min(other.end)..other.end);
        }
        apart
    });
    mapped.extend(rest.into_iter().filter(|part| !part.is_empty()));
}

/// Leaves the error where the library looks for it.
fn fail<T>(error: Errno, result: T) -> T {
    if let Some(errno) = c_library::errno() {
        // SAFETY: the calling thread's errno; the resolver keeps the program's.
        unsafe { *errno = error.0 };
    }
    result
}

/// mmap(2).
pub unsafe extern "C" fn map(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    descriptor: c_int,
    offset: i64,
) -> *mut c_void {
    let arguments =
        [address as usize, len, protection as usize, flags as usize, descriptor as usize, offset as usize];
    // SAFETY: the caller's promise.
    match unsafe { sys::syscall(libc::SYS_mmap, arguments) } {
        Ok(start) => {
            note(start..start + len.next_multiple_of(super::PAGE));
            start as *mut c_void
        }
        Err(error) => fail(error, libc::MAP_FAILED),
    }
}

/// munmap(2).
pub unsafe extern "C" fn unmap(address: *mut c_void, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    match unsafe { sys::syscall(libc::SYS_munmap, [address as usize, len, 0, 0, 0, 0]) } {
        Ok(_) => {
            forget(&(address as usize..address as usize + len.next_multiple_of(super::PAGE)));
            0
        }
        Err(error) => fail(error, -1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_forgotten() {
        const BASE: usize = 0x10_0000;
        let at = |pages: Range<usize>| BASE + pages.start * 4096..BASE + pages.end * 4096;
        note(at(0..10));
        forget(&at(3..5));
        forget(&at(8..12));
        let mut left: Vec<_> = mapped().into_iter().filter(|range| range.start < BASE << 4).collect();
        left.sort_by_key(|range| range.start);
        assert_eq!(left, [at(0..3), at(5..8)]);
    }
}
