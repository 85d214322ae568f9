//! The loader's own list of objects, as it keeps it for debuggers: found without a symbol of the C library's, and read
//! without a lock. Only its head is walked, which does not change once the program runs.
//!
//! The kernel tells where the executable's program headers are; the executable's dynamic section leads to the list
//! (DT_DEBUG). Where it does not (`ld.lld -z rodynamic`), or where the loader was run as a program and the kernel knows
//! nothing of the executable, the loader's symbol table does.

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use goblin::elf::dynamic::DT_DEBUG;
use goblin::elf::program_header::{PT_LOAD, PT_PHDR};
use goblin::elf64::dynamic::Dyn;
use goblin::elf64::header::Header;
use goblin::elf64::program_header::ProgramHeader;

use super::{Definition, LoadedObject, Tables, entries};
use crate::sys;

/// The loader's description of an object (link.h).
#[repr(C)]
pub struct LinkMap {
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

impl LinkMap {
    /// The dynamic section.
    pub fn dynamic(&self) -> *const Dyn {
        self.dynamic
    }

    /// What the object defines under `name`, in the version that is the default.
    pub fn define(&self, name: &str) -> Option<Definition> {
        // SAFETY: the dynamic section is that of a loaded object.
        unsafe { Some(Tables::new(self.base, entries(self.dynamic))?.define(self.base, name)?.0) }
    }

    /// Whether the object is a file of this name, in whatever directory.
    fn is_file(&self, name: &[u8]) -> bool {
        // SAFETY: the loader's names are null or C strings.
        let own = if self.name.is_null() { c"" } else { unsafe { CStr::from_ptr(self.name) } };
        own.to_bytes().rsplit(|&byte| byte == b'/').next() == Some(name)
    }
}

/// The objects in load order, the executable first; nothing in a static program.
pub fn objects() -> impl Iterator<Item = &'static LinkMap> {
    static DEBUG: AtomicUsize = AtomicUsize::new(0);
    if DEBUG.load(Relaxed) == 0 {
        DEBUG.store(find().unwrap_or(0), Relaxed);
    }
    // SAFETY: the loader has filled its variable, and the list in it, before anything of this library runs.
    let mut next = unsafe {
        (DEBUG.load(Relaxed) as *const RDebug)
            .as_ref()
            .map_or(std::ptr::null(), |debug| (&raw const debug.map).read())
    };
    std::iter::from_fn(move || {
        // SAFETY: objects at the head of the list are never unloaded.
        let object = unsafe { next.as_ref() }?;
        next = object.next;
        Some(object)
    })
}

/// The address of the loader's structure for debuggers.
fn find() -> Option<usize> {
    let executable = executable()?;
    if let Some(entry) = executable.dynamic().find(|entry| entry.d_tag == DT_DEBUG && entry.d_val != 0) {
        return Some(entry.d_val as usize);
    }
    let loader = sys::auxiliary(libc::AT_BASE).filter(|&base| base != 0).map(|base| {
        // SAFETY: the kernel has mapped the loader there, its headers included.
        unsafe {
            let header = &*(base as *const Header);
            let headers = (base + header.e_phoff as usize) as *const ProgramHeader;
            LoadedObject::mapped(base, std::slice::from_raw_parts(headers, header.e_phnum.into()))
        }
    });
    Some(loader.unwrap_or(executable).define("_r_debug")?.address)
}

/// What the kernel has started: the executable.
pub fn executable() -> Option<LoadedObject<'static>> {
    // Kept: the kernel is not there to be asked when the runtime in a core file is (decisions/0074).
    static KNOWN: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
    let told = |kind, known: &AtomicUsize| {
        if known.load(Relaxed) == 0 {
            known.store(sys::auxiliary(kind)?, Relaxed);
        }
        Some(known.load(Relaxed))
    };
    let (address, count) = (told(libc::AT_PHDR, &KNOWN[0])?, told(libc::AT_PHNUM, &KNOWN[1])?);
    // SAFETY: the kernel has passed the address of the program's headers, and their number; they stay.
    let headers = unsafe { std::slice::from_raw_parts(address as *const ProgramHeader, count) };
    let own = headers.iter().find(|header| header.p_type == PT_PHDR).map(|header| header.p_vaddr as usize);
    // Without that entry: they are behind the file header, which begins the segment that has the file's first byte.
    let behind = || {
        let first = headers.iter().find(|header| header.p_type == PT_LOAD && header.p_offset == 0);
        first.map_or(address, |first| first.p_vaddr as usize + size_of::<Header>())
    };
    Some(LoadedObject::mapped(address.wrapping_sub(own.unwrap_or_else(behind)), headers))
}

/// The address of a function of the C library.
pub fn in_c_library(name: &str) -> Option<usize> {
    // Before glibc 2.34 threads had a library of their own.
    let libraries = [&b"libc.so.6"[..], b"libpthread.so.0"];
    let mut found = libraries.iter().filter_map(|file| objects().find(|object| object.is_file(file)));
    let definition = match found.next() {
        Some(c) => c.define(name).or_else(|| found.next()?.define(name)),
        None => super::next_definition(name),
    };
    // SAFETY: the C library is relocated before anything of ours runs.
    definition.map(|definition| unsafe { definition.resolve() })
}

/// The address of a variable of the C library: the executable's copy, if it has one (a copy relocation). What else the
/// executable calls by that name has another type or size.
#[cfg(not(feature = "static"))]
pub fn variable_of_c_library(name: &str) -> Option<usize> {
    let define = |object: &LinkMap| {
        // SAFETY: the dynamic section is that of a loaded object.
        unsafe { Tables::new(object.base, entries(object.dynamic))?.define(object.base, name) }
            .filter(|(definition, _)| definition.variable)
    };
    let (own, size) = define(objects().find(|object| object.is_file(b"libc.so.6"))?)?;
    let copy = define(objects().next()?).filter(|(_, copied)| *copied == size);
    Some(copy.map_or(own.address, |(copy, _)| copy.address))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::loaded;

    #[test]
    fn the_list_is_that_of_dl_iterate_phdr() {
        let mut bases = Vec::new();
        loaded::each(|object| -> std::ops::ControlFlow<()> {
            bases.push(object.base);
            std::ops::ControlFlow::Continue(())
        });
        // The kernel's object is left out there.
        let listed: Vec<_> =
            objects().map(|object| object.base).filter(|base| bases.contains(base)).collect();
        assert_eq!(listed, bases);
        assert_eq!(executable().map(|object| object.base), Some(bases[0]));
    }

    #[test]
    fn the_loaders_symbol_table_has_it_too() {
        let base = sys::auxiliary(libc::AT_BASE).unwrap();
        let symbol = objects().find(|object| object.base == base).unwrap().define("_r_debug").unwrap();
        assert_eq!(find(), Some(symbol.address));
    }

    #[test]
    fn functions_of_the_c_library() {
        assert_eq!(in_c_library("getpid"), Some(libc::getpid as *const () as usize));
        assert_eq!(in_c_library("no_such_function"), None);
        assert!(variable_of_c_library("__environ").is_some());
        assert_eq!(variable_of_c_library("getpid"), None);
    }
}
