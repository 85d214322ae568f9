//! The twin of loaded/next.rs in the static library: nothing is interposed, so the C library's functions go by their
//! names.

use std::ffi::{c_int, c_void};

use autojit_trampoline::linked::{own_libgcc, own_libunwind};

use super::Visit;

/// Calls the C library's dl_iterate_phdr, which static programs have, too.
///
/// # Safety
/// As for that function.
pub unsafe fn iterate(visit: Visit, data: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { libc::dl_iterate_phdr(Some(visit), data) }
}

/// No address: the runtime is a part of the program, whose symbols are looked up like those of any other.
pub fn own_address() -> usize {
    0
}

/// The directory of the program, with a slash at its end.
pub fn own_directory() -> Vec<u8> {
    let mut path = crate::sys::read_link(c"/proc/self/exe").unwrap_or_default();
    path.truncate(path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1));
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// Functions of unwinders that are linked into the program, or 0: libgcc's and libunwind's.
pub fn own_unwinders() -> [usize; 2] {
    [own_libgcc(), own_libunwind()]
}
