//! The way past what the runtime interposes: the definitions that the program would have called without it.
//!
//! Receives names; hands on addresses, and the C library's list of loaded objects. The static library, which interposes
//! nothing, has a twin (linked/next.rs).

use std::ffi::{c_char, c_int, c_void};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use goblin::elf::sym::{STT_GNU_IFUNC, st_type};
use goblin::elf64::dynamic::Dyn;
use goblin::elf64::program_header::ProgramHeader;

use super::{Definition, Tables, Visit, each, entries};

/// The C library's dl_iterate_phdr: the name alone would be that of ours.
static ITERATE: Next = Next::new("dl_iterate_phdr");

/// Calls the C library's dl_iterate_phdr.
///
/// # Safety
/// As for that function.
pub unsafe fn iterate(visit: Visit, data: *mut c_void) -> c_int {
    type Iterate = unsafe extern "C" fn(Visit, *mut c_void) -> c_int;
    // SAFETY: the function has this type; the rest is the caller's promise.
    unsafe {
        let iterate: Iterate = std::mem::transmute(ITERATE.address());
        iterate(visit, data)
    }
}

/// The definition behind one of ours: what the program would have called without the runtime.
#[derive(Debug)]
pub struct Next {
    name: &'static str,
    address: AtomicUsize,
}

impl Next {
    /// The next definition of `name`.
    pub const fn new(name: &'static str) -> Self {
        Self { name, address: AtomicUsize::new(0) }
    }

    /// Its address.
    ///
    /// # Panics
    /// If there is none: only for functions that every C library has.
    pub fn address(&self) -> usize {
        self.find().expect("the C library has it")
    }

    /// Its address, if there is one.
    pub fn find(&self) -> Option<usize> {
        let known = self.address.load(Relaxed);
        if known != 0 {
            return Some(known);
        }
        let found = next(self.name)?;
        self.address.store(found, Relaxed);
        Some(found)
    }
}

/// The loader's description of an object (link.h).
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const Dyn,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// What the loader tells debuggers (link.h).
#[repr(C)]
struct RDebug {
    version: c_int,
    map: *const LinkMap,
}

/// The first definition of `name` in the objects that were loaded behind this one, or else before it: where the library
/// is linked, not preloaded, the C library may come first, and the program does not call ours at all. Takes no lock: the
/// list of objects is the one for debuggers, and only its head is walked, which does not change once the program runs.
fn next(name: &str) -> Option<usize> {
    unsafe extern "C" {
        static _r_debug: RDebug;
        static _DYNAMIC: [Dyn; 0];
    }
    let (mut behind, mut in_front) = (false, None);
    // SAFETY: the loader has filled its variable, and the list in it, before anything of this library runs.
    unsafe {
        let mut map = (&raw const _r_debug.map).read();
        while let Some(object) = map.as_ref() {
            map = object.next;
            if std::ptr::eq(object.dynamic, (&raw const _DYNAMIC).cast()) {
                behind = true;
            } else if (behind || in_front.is_none())
                && let Some(tables) = Tables::new(object.base, entries(object.dynamic))
                && let Some(symbol) = tables.lookup(name)
            {
                let address = object.base.wrapping_add(symbol.st_value as usize);
                let indirect = st_type(symbol.st_info) == STT_GNU_IFUNC;
                let found = Definition { address, indirect, variable: false };
                if behind {
                    return Some(found.resolve());
                }
                in_front = Some(found);
            }
        }
        in_front.map(|found| found.resolve())
    }
}

/// An address inside the runtime itself.
pub fn own_address() -> usize {
    own_address as *const () as usize
}

/// The directory of the runtime's file, with a slash at its end.
pub fn own_directory() -> Vec<u8> {
    let own = each(|object| {
        if object.contains(own_address()) {
            ControlFlow::Break(object.name.to_owned())
        } else {
            ControlFlow::Continue(())
        }
    });
    let own = own.unwrap_or_default();
    let directory = own.to_bytes().iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    crate::sys::absolute(&own.to_bytes()[..directory]).into_bytes()
}

/// Unwinders that are linked into the image of the runtime: none.
pub fn own_unwinders() -> [usize; 2] {
    [0; 2]
}

/// Base and program headers of an object that the loader knows none of: none.
pub fn unknown_headers() -> (usize, &'static [ProgramHeader]) {
    (0, &[])
}

/// The address of a function that is linked for those who may call it: the shared library has none.
pub fn held(_: &str) -> Option<usize> {
    None
}
