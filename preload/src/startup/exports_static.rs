//! The twin of exports.rs in the static library: the symbols with which its one object takes the place of the boot code.
//!
//! Objects with lazy code refer to one symbol that the linker defines unless something else does. The object does, and
//! with it comes a definition of the function that registers an image, which is stronger than the weak ones that the
//! objects have (autojit_trampoline::boot, decisions/0015). Nothing else of it is visible but what other images look for: the
//! program may have a standard library of its own, or another allocator.

use autojit_trampoline::contract::{ImageRecord, REGISTER_SYMBOL};

use crate::link::attached::{self, Answer};
use crate::platform::{loaded, scope};
use crate::program::process;
use crate::startup::lifecycle;

autojit_trampoline::define_attach! { attach }
autojit_trampoline::define_note! { describe }

/// What debuggers call (scripts/gdb/autojit.py, `autojit-run --core-lines`), which find it by the note: no symbol of it has to
/// be in the program.
extern "C" fn describe(known: u64) -> *const Answer {
    attached::describe(known)
}

/// What other images with lazy code find, if the program exports its functions (`-rdynamic`).
///
/// # Safety
/// As for [`lifecycle::register`].
#[unsafe(no_mangle)]
unsafe extern "C" fn __autojit_register(record: *const ImageRecord) {
    // SAFETY: the caller's promise.
    unsafe { attach(record) }
}

/// Registers the image that the runtime is linked into: with a runtime that was preloaded, or that the program or a
/// library of it is linked with, if there is one, and else with this one.
///
/// # Safety
/// As for [`lifecycle::register`].
unsafe extern "C" fn attach(record: *const ImageRecord) {
    // dlsym would leave a message behind, for the program to find, and allocate it with the program's malloc.
    let own = attach as *const () as usize;
    let other = if process::asleep() { loaded::find(REGISTER_SYMBOL, own) } else { None };
    // SAFETY: the symbol has this type (contract); the rest is the caller's promise.
    unsafe {
        match other {
            Some(other) => {
                let register: unsafe extern "C" fn(*const ImageRecord) = std::mem::transmute(other.resolve());
                register(record);
            }
            None => lifecycle::register(record),
        }
    }
}

/// Runs when the program is initialised. What is passed to it differs from one C library to the other.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = at_start;

extern "C" fn at_start() {
    scope::count_at_start();
}

/// Runs when the process exits, after the program's own exit handlers and destructors: arrays are run backwards.
#[used]
#[unsafe(link_section = ".fini_array.00000")]
static AT_EXIT: extern "C" fn() = lifecycle::at_exit;
