//! What the library wants to do when a thread ends: give back what the thread's allocator has kept for it.
//!
//! The C library's ways to be told of a thread's end allocate, with the program's malloc: all but the values of the
//! first 32 keys, which lie in the thread's descriptor. One of these is taken when the runtime starts, and stands for
//! the one that the library creates.

use std::ffi::{c_int, c_uint, c_void};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use crate::platform::c_library;
use crate::platform::guards::SignalGuard;
use crate::program::fork::ForkGuard;

/// Keys below this have their values in the thread's descriptor (glibc's PTHREAD_KEY_2NDLEVEL_SIZE).
const IN_DESCRIPTOR: c_uint = 32;
const NO_KEY: c_uint = c_uint::MAX;

static KEY: AtomicU32 = AtomicU32::new(NO_KEY);
/// The library's destructor; 0 if it has not created its key.
static DESTRUCTOR: AtomicUsize = AtomicUsize::new(0);

/// Takes the key. If there is none left of the kind, the library is not told of the ends of threads, and what it kept
/// for them is lost.
pub fn reserve() {
    let mut key = NO_KEY;
    // SAFETY: `ended` is a function of this library, which is never unloaded; a key that was just made is not in use.
    unsafe {
        if c_library::key_create(&mut key, ended) != Some(0) {
            return;
        }
        if key < IN_DESCRIPTOR {
            KEY.store(key, SeqCst);
        } else {
            c_library::key_delete(key);
        }
    }
}

extern "C" fn ended(value: *mut c_void) {
    let destructor = DESTRUCTOR.load(SeqCst);
    if destructor == 0 {
        return;
    }
    let _uninterrupted = SignalGuard::new();
    // Not while a thread forks: the child would have half of it.
    let _fork_guard = ForkGuard::enter();
    // SAFETY: the library's function for its values, in the thread that has set this one.
    unsafe { std::mem::transmute::<usize, extern "C" fn(*mut c_void)>(destructor)(value) }
}

/// For the library, instead of `pthread_key_create`: there is one key.
pub unsafe extern "C" fn create_key(key: *mut c_uint, destructor: usize) -> c_int {
    let reserved = KEY.load(SeqCst);
    if reserved == NO_KEY || DESTRUCTOR.compare_exchange(0, destructor, SeqCst, SeqCst).is_err() {
        return libc::EAGAIN;
    }
    // SAFETY: the caller's variable.
    unsafe { key.write(reserved) };
    0
}

/// For the library, instead of `pthread_setspecific`.
pub unsafe extern "C" fn set(key: c_uint, value: *const c_void) -> c_int {
    if key != KEY.load(SeqCst) {
        return libc::EINVAL;
    }
    // SAFETY: the key is ours, and its values are the library's.
    unsafe { c_library::set_specific(key, value) }.unwrap_or(libc::EINVAL)
}

/// For the library, instead of `pthread_key_delete`: it lives as long as the process, and so does its key.
pub unsafe extern "C" fn delete_key(_: c_uint) -> c_int {
    0
}

/// For the library, instead of `__cxa_thread_atexit_impl`: objects of a thread (of Rust's standard library; they hold
/// next to nothing) are not destroyed.
pub unsafe extern "C" fn at_thread_exit(_: usize, _: *mut c_void, _: *mut c_void) -> c_int {
    0
}
