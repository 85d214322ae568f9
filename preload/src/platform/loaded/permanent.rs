//! The objects that the process keeps: the executable, what was preloaded, and the libraries that these need. They can be
//! read without the loader's lock, which another thread may hold for as long as it likes, inside dl_iterate_phdr.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{LoadedObject, each};

/// What was found. No lock: a thread that finds it holds the loader's, and another one may want it inside that.
static PERMANENT: AtomicPtr<Vec<LoadedObject<'static>>> = AtomicPtr::new(ptr::null_mut());

/// These objects, in load order. The first call takes the loader's lock.
pub fn permanent() -> &'static [LoadedObject<'static>] {
    let mut known = PERMANENT.load(Ordering::Acquire);
    if known.is_null() {
        known = Box::into_raw(Box::new(look()));
        // One that another thread has found meanwhile is the same, and may be in use.
        PERMANENT.store(known, Ordering::Release);
    }
    // SAFETY: what was stored is never freed, nor changed.
    unsafe { &*known }
}

fn look() -> Vec<LoadedObject<'static>> {
    let mut found = Vec::new();
    // The names in DT_NEEDED entries so far, and whether an object with that name was met.
    let mut needed: BTreeMap<&'static CStr, bool> = BTreeMap::new();
    let mut some_needed = false;
    each(|object| {
        // SAFETY: what is kept below is never unloaded: the loader keeps the executable, what was preloaded, and what
        // these need. Of another object nothing is kept.
        let object = unsafe { std::mem::transmute::<LoadedObject<'_>, LoadedObject<'static>>(object) };
        // The loader puts what was preloaded behind the executable, then what is needed, then what is opened. What was
        // preloaded may be needed, too; but in front of the C library nothing was opened.
        let is_needed = object.names().any(|name| needed.get(name) == Some(&false));
        let opened = match needed.get(c"libc.so.6") {
            Some(met) => *met,
            None => some_needed || !found.is_empty() && needed.is_empty(),
        };
        if opened && !is_needed {
            return ControlFlow::Break(());
        }
        some_needed |= is_needed;
        needed.extend(object.names().map(|name| (name, true)));
        for name in object.needed() {
            needed.entry(name).or_insert(false);
        }
        found.push(object);
        ControlFlow::Continue(())
    });
    found
}

/// Whether the object around `address` is one of them.
pub fn is_permanent(address: usize) -> bool {
    permanent().iter().any(|object| object.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_first_and_end_where_libraries_were_opened() {
        // SAFETY: a plain library of the system, which no test program needs.
        let library = unsafe { libc::dlopen(c"libz.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null());
        // SAFETY: the handle is a library's.
        let inside = unsafe { libc::dlsym(library, c"inflate".as_ptr()) } as usize;
        let mut bases = Vec::new();
        each(|object| -> ControlFlow<()> {
            bases.push(object.base);
            ControlFlow::Continue(())
        });
        let found: Vec<_> = permanent().iter().map(|object| object.base).collect();
        assert!(bases.starts_with(&found) && found.len() < bases.len(), "{found:x?} of {bases:x?}");
        for address in [they_come_first_and_end_where_libraries_were_opened as *const () as usize, {
            // SAFETY: a plain look-up.
            unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"getpid".as_ptr()) as usize }
        }] {
            assert!(is_permanent(address));
        }
        assert!(!is_permanent(inside));
    }
}
