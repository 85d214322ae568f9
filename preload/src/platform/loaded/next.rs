//! The way past what the runtime interposes: the definitions that the program would have called without it.
//!
//! Receives names; hands on addresses, and the C library's list of loaded objects. The static library, which interposes
//! nothing, has a twin (next_static.rs).

use std::ffi::{c_int, c_void};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use goblin::elf64::dynamic::Dyn;

use super::{Definition, Visit, each, link_map, permanent};
use crate::platform::c_library;

/// What the program would have called: the next definition may be one of its own.
static ITERATE: Next = Next::new("dl_iterate_phdr");

/// Calls the next dl_iterate_phdr, for the program.
///
/// # Safety
/// As for that function.
pub unsafe fn iterate_for_program(visit: Visit, data: *mut c_void) -> c_int {
    type Iterate = unsafe extern "C" fn(Visit, *mut c_void) -> c_int;
    // SAFETY: the function has this type; the rest is the caller's promise.
    unsafe {
        let iterate: Iterate = std::mem::transmute(ITERATE.address());
        iterate(visit, data)
    }
}

/// Calls the C library's dl_iterate_phdr.
///
/// # Safety
/// As for that function.
pub unsafe fn iterate(visit: Visit, data: *mut c_void) -> c_int {
    c_library::find();
    // SAFETY: the caller's promise.
    unsafe { c_library::iterate_phdr(visit, data) }.expect("every C library has it")
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
        // SAFETY: what is loaded is relocated before it calls anything of this library.
        let found = unsafe { next_definition(self.name)?.resolve() };
        self.address.store(found, Relaxed);
        Some(found)
    }
}

/// The first definition of `name` in the objects that were loaded behind this one, or else before it: where the library
/// is linked, not preloaded, the C library may come first, and the program does not call ours at all. Takes no lock.
pub fn next_definition(name: &str) -> Option<Definition> {
    unsafe extern "C" {
        static _DYNAMIC: [Dyn; 0];
    }
    let (mut behind, mut in_front) = (false, None);
    for object in link_map::objects() {
        if std::ptr::eq(object.dynamic(), (&raw const _DYNAMIC).cast()) {
            behind = true;
        } else if behind || in_front.is_none() {
            let found = object.define(name);
            if behind && found.is_some() {
                return found;
            }
            in_front = in_front.or(found);
        }
    }
    in_front
}

/// An address inside the runtime itself.
pub fn own_address() -> usize {
    own_address as *const () as usize
}

/// The directory of the runtime's file, with a slash at its end.
pub fn own_directory() -> Vec<u8> {
    let known = permanent().iter().find(|object| object.contains(own_address()));
    let own = known.map(|object| object.name.to_owned()).or_else(|| {
        each(|object| match object.contains(own_address()) {
            true => ControlFlow::Break(object.name.to_owned()),
            false => ControlFlow::Continue(()),
        })
    });
    let own = own.unwrap_or_default();
    let directory = own.to_bytes().iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    crate::sys::absolute(&own.to_bytes()[..directory]).into_bytes()
}

/// Unwinders that are linked into the image of the runtime: none.
pub fn own_unwinders() -> [usize; 2] {
    [0; 2]
}

/// The address of a function that is linked for code that may call it: the shared library has none.
pub fn held(_: &str) -> Option<usize> {
    None
}
