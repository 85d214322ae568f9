//! The symbols that libautojit.so shows. build.rs has the same list for the linker.

use std::ffi::c_void;

use autojit_trampoline::contract::ImageRecord;

use crate::unwind::Bases;
use crate::{lifecycle, unwind};

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

/// Runs when the process exits, after the program's own exit handlers.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = lifecycle::at_exit;
