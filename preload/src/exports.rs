//! The symbols that libautojit.so shows. build.rs has the same list for the linker.

use std::ffi::{c_char, c_int, c_void};

use autojit_trampoline::contract::ImageRecord;

use libc::Dl_info;

use crate::loaded::Visit;
use crate::unwind::Bases;
use crate::{addresses, lifecycle, objects, unwind};

/// What the constructor of an image with lazy code calls (autojit_trampoline::contract::REGISTER_SYMBOL).
///
/// # Safety
/// The record must be one of a loaded and relocated image.
#[unsafe(no_mangle)]
unsafe extern "C" fn __autojit_register(record: *const ImageRecord) {
    // SAFETY: the caller's promise.
    unsafe { lifecycle::register(record) }
}

/// Interposes libgcc's function of this name.
///
/// # Safety
/// As for libgcc's.
#[unsafe(no_mangle)]
unsafe extern "C" fn _Unwind_Find_FDE(pc: *const c_void, bases: *mut Bases) -> *const c_void {
    // SAFETY: the caller's promise.
    unsafe { unwind::find_fde(pc, bases) }
}

/// Interposes the C library's function of this name, as do those below.
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn dl_iterate_phdr(visit: Visit, data: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { objects::iterate(visit, data) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn dladdr(address: *const c_void, info: *mut Dl_info) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { addresses::dladdr(address, info) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn dladdr1(
    address: *const c_void,
    info: *mut Dl_info,
    extra: *mut *mut c_void,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { addresses::dladdr1(address, info, extra, flags) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn backtrace_symbols(array: *const *mut c_void, size: c_int) -> *mut *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { addresses::backtrace_symbols(array, size) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn backtrace_symbols_fd(array: *const *mut c_void, size: c_int, descriptor: c_int) {
    // SAFETY: the caller's promise.
    unsafe { addresses::backtrace_symbols_fd(array, size, descriptor) }
}

/// Runs when the process exits, after the program's own exit handlers.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = lifecycle::at_exit;
