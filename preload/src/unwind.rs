//! Stack unwinding through code of ours: the answer to `_Unwind_Find_FDE`.
//!
//! libgcc's unwinder calls this function by its public name, so a preloaded definition comes first: it answers from
//! the table of what the runtime has linked, and asks the next definition (libgcc's own) for everything else. The
//! unwinder may be at work in any thread, in a signal handler, or while the loader's lock is held: no lock is taken
//! here, and nothing is allocated.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use autojit_code::{Code, UnwindTable};

use crate::{image, loaded, names};

/// Everything that the runtime has linked.
pub static TABLE: UnwindTable = UnwindTable::new();

/// Makes `code` known to all unwinders: those that ask `_Unwind_Find_FDE`, and those of images that carry one of their
/// own.
pub fn register(code: &Code<'_>) {
    TABLE.register(code);
    if code.eh_frame.is_empty() {
        return;
    }
    for address in image::all().filter_map(image::Image::static_unwinder) {
        // Not __register_frame, which calls the program's malloc for this.
        let object = Box::leak(Box::new([0_usize; REGISTERED_OBJECT]));
        // SAFETY: libgcc's function of this name and type (unwind-dw2-fde.c). Tables and object live for ever.
        unsafe {
            let register: extern "C" fn(*const c_void, *mut c_void) = std::mem::transmute(address);
            register(code.eh_frame.start as *const c_void, object.as_mut_ptr().cast());
        }
    }
}

/// Words of libgcc's `struct object`, of which it uses six, with room for later versions.
const REGISTERED_OBJECT: usize = 8;

/// libgcc's `struct dwarf_eh_bases`.
#[repr(C)]
#[derive(Debug)]
pub struct Bases {
    /// Base for text-relative pointers in the tables; unused on x86-64.
    pub text: *const c_void,
    /// Base for data-relative pointers in the tables.
    pub data: *const c_void,
    /// The first address that the FDE covers.
    pub function: *const c_void,
}

/// The type of `_Unwind_Find_FDE`.
type Find = unsafe extern "C" fn(*const c_void, *mut Bases) -> *const c_void;

/// The next definition, or 0 as long as it was not found: libgcc may be loaded later.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// The FDE that covers `pc`, or null.
///
/// # Safety
/// As for libgcc's function: `bases` must be writable.
pub unsafe fn find_fde(pc: *const c_void, bases: *mut Bases) -> *const c_void {
    if let Some(found) = TABLE.find(pc as usize) {
        // Who walks a stack may ask for names afterwards.
        names::keep_up();
        let null = std::ptr::null();
        // SAFETY: the caller's promise. Our tables are PC-relative: they need neither base.
        unsafe { bases.write(Bases { text: null, data: null, function: found.function as *const c_void }) };
        return found.fde.cast();
    }
    match next() {
        // SAFETY: the definition has this type, and its arguments are the caller's.
        Some(find) => unsafe { find(pc, bases) },
        None => std::ptr::null(),
    }
}

fn next() -> Option<Find> {
    let mut address = NEXT.load(Ordering::Relaxed);
    if address == 0 {
        // SAFETY: what is loaded is relocated before its unwinder runs.
        address = loaded::find("_Unwind_Find_FDE", loaded::own_address())
            .map_or(0, |definition| unsafe { definition.resolve() });
        NEXT.store(address, Ordering::Relaxed);
    }
    // SAFETY: a function of that name and type (libgcc's unwind-dw2-fde.h), or null, which is None.
    unsafe { std::mem::transmute::<usize, Option<Find>>(address) }
}
