//! Which definition of a name an image sees, by the loader's rules: first those of the objects that were loaded when
//! the program started, then those of the image and of the libraries that it needs, breadth first.
//!
//! Receives names; hands on definitions. What another library has opened for itself (RTLD_LOCAL) is not seen, whatever
//! it defines. What was opened for all (RTLD_GLOBAL) is not seen either, because the loader does not tell.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::platform::loaded::{self, Definition, LoadedObject};

/// The number of objects that were loaded when the program started. They come first in load order, and stay.
static AT_START: AtomicUsize = AtomicUsize::new(0);

/// Notes which objects are there. To be called when this library is initialised, with the other libraries of the program.
pub fn count_at_start() {
    let mut count = 0;
    loaded::each(|_| -> std::ops::ControlFlow<()> {
        count += 1;
        std::ops::ControlFlow::Continue(())
    });
    AT_START.store(count, Relaxed);
}

/// The definition of `name` that a reference in the image around `address` binds to.
pub fn find(name: &str, address: usize) -> Option<Definition> {
    let own = loaded::own_address();
    // Most often without the loader's lock, as what stays in the process comes first.
    let stay = loaded::permanent();
    let mut first = stay.iter().filter(|object| !object.contains(own));
    if let Some(definition) = first.find_map(|object| object.define(name)) {
        return Some(definition);
    }
    if stay.len() == AT_START.load(Relaxed) && loaded::is_permanent(address) {
        return None;
    }
    loaded::with_all(|objects| {
        let at_start = AT_START.load(Relaxed).min(objects.len());
        let mut seen: Vec<usize> = (0..at_start).collect();
        seen.extend(objects.iter().position(|object| object.contains(address)).filter(|at| *at >= at_start));
        let mut next = 0;
        while let Some(&at) = seen.get(next) {
            let object = &objects[at];
            if !object.contains(own)
                && let Some(definition) = object.define(name)
            {
                return Some(definition);
            }
            // What was loaded at the start needs nothing that was not.
            if at >= at_start {
                needed_by(object, objects, &mut seen);
            }
            next += 1;
        }
        None
    })
    .flatten()
}

/// Adds the libraries that `object` needs, unless they are among those that are `seen`.
fn needed_by(object: &LoadedObject<'_>, objects: &[LoadedObject<'_>], seen: &mut Vec<usize>) {
    for name in object.needed() {
        if let Some(at) = objects.iter().position(|other| other.is_called(name))
            && !seen.contains(&at)
        {
            seen.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_seen_by_those_that_need_them_only() {
        let own = loaded::own_address();
        // SAFETY: plain libraries of the system; zlib is no dependency of a test program.
        let library = unsafe { libc::dlopen(c"libz.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!library.is_null());
        // SAFETY: the handle is a library's.
        let inside = unsafe { libc::dlsym(library, c"inflate".as_ptr()) } as usize;
        assert_eq!(find("inflate", inside).map(|definition| definition.address), Some(inside));
        assert_eq!(find("inflate", own), None);
        assert_eq!(find("getpid", inside), find("getpid", 0));
        assert!(find("getpid", inside).is_some());
    }

    #[test]
    fn unloading_is_counted() {
        let before = loaded::unloads();
        // SAFETY: a plain library of the system, opened and closed.
        unsafe {
            let library = libc::dlopen(c"libutil.so.1".as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            assert!(!library.is_null());
            libc::dlclose(library);
        }
        assert!(loaded::unloads() > before);
    }
}
