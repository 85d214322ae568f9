//! What the runtime needs of the C library itself: functions that nothing else can stand for, looked up in the library's own
//! symbol table.
//!
//! A reference by name would bind to a function of the program's, which may be lazy: the runtime would call it in order
//! to compile it. Hands on nothing in a static program, whose C library has no such table; there the runtime calls
//! nothing that needs these.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering::Relaxed};

use autojit_trampoline::cancellation::{self, Poll, SetCancellation};
use autojit_trampoline::entry::Processor;

use crate::platform::loaded::{self, Visit};
use crate::sys;

/// Defines functions of the C library, and [`find`], which looks them up.
macro_rules! functions {
    ($($(#[$doc:meta])* fn $function:ident = $name:literal($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            $(#[$doc])*
            /// None where it was not found.
            ///
            /// # Safety
            /// As for the C library's function.
            pub unsafe fn $function($($argument: $type),*) -> Option<$result> {
                let address = addresses::$function.load(Relaxed);
                if address == 0 {
                    return None;
                }
                // SAFETY: the function of this name has this type; the rest is the caller's promise.
                Some(unsafe {
                    let function: unsafe extern "C" fn($($type),*) -> $result = std::mem::transmute(address);
                    function($($argument),*)
                })
            }
        )*

        #[allow(non_upper_case_globals, reason = "named like their functions")]
        mod addresses {
            use super::*;
            $( pub static $function: AtomicUsize = AtomicUsize::new(0); )*
        }

        /// Looks for all of them.
        fn find_functions() {
            $(
                if let Some(address) = loaded::in_c_library($name) {
                    addresses::$function.store(address, Relaxed);
                }
            )*
        }
    };
}

functions! {
    /// The address of the calling thread's errno.
    fn errno_location = "__errno_location"() -> *mut c_int;
    /// What pthread_atfork(3) calls, which is not in the shared library.
    fn register_atfork = "__register_atfork"(
        prepare: unsafe extern "C" fn(), parent: unsafe extern "C" fn(), child: unsafe extern "C" fn(), library: *const c_void
    ) -> c_int;
    /// See dl_iterate_phdr(3).
    fn iterate_phdr = "dl_iterate_phdr"(visit: Visit, data: *mut c_void) -> c_int;
    /// See pthread_key_create(3).
    fn key_create = "pthread_key_create"(key: *mut c_uint, destructor: extern "C" fn(*mut c_void)) -> c_int;
    /// See pthread_key_delete(3).
    fn key_delete = "pthread_key_delete"(key: c_uint) -> c_int;
    /// See pthread_setspecific(3).
    fn set_specific = "pthread_setspecific"(key: c_uint, value: *const c_void) -> c_int;
    /// What CPUID says of a leaf, which has a number (sys/platform/x86.h, since glibc 2.33), and behind that what of it is used.
    fn cpuid_leaf = "__x86_get_cpuid_feature_leaf"(leaf: c_uint) -> *const [[u32; 4]; 2];
}

/// What CPUID says of the processor, which the C library has asked when the program started, if it tells.
pub fn processor() -> Processor {
    /// The numbers of leaves 1 and 0xd.1.
    const LEAVES: [c_uint; 2] = [0, 3];
    // SAFETY: null for numbers that it does not know, or constant.
    let known = LEAVES.map(|leaf| unsafe { cpuid_leaf(leaf)?.as_ref() });
    match known {
        [Some([[_, _, leaf_1, _], _]), Some([[leaf_d_1, ..], _])] => {
            Processor { leaf_1: *leaf_1, leaf_d_1: *leaf_d_1 }
        }
        _ => Processor::ask(),
    }
}

/// The distance from the thread pointer to errno, the same in all threads; 0 if the runtime does not know it.
static ERRNO: AtomicIsize = AtomicIsize::new(0);

/// Looks everything up, once. To be called before anything else here, as soon as an image registers.
pub fn find() {
    static FOUND: AtomicUsize = AtomicUsize::new(0);
    if FOUND.load(Relaxed) != 0 {
        return;
    }
    find_functions();
    // SAFETY: without preconditions.
    if let Some(errno) = unsafe { errno_location() } {
        ERRNO.store((errno as isize).wrapping_sub(sys::thread_pointer() as isize), Relaxed);
    }
    let [state, kind] = ["pthread_setcancelstate", "pthread_setcanceltype"].map(loaded::in_c_library);
    if let (Some(state), Some(kind)) = (state, kind) {
        // SAFETY: the functions of these names have this type.
        let [state, kind] =
            [state, kind].map(|a| unsafe { std::mem::transmute::<usize, SetCancellation>(a) });
        // SAFETY: likewise.
        let poll = loaded::in_c_library("poll").map(|a| unsafe { std::mem::transmute::<usize, Poll>(a) });
        cancellation::set_functions(state, kind, poll);
    }
    FOUND.store(1, Relaxed);
}

/// The distance from the thread pointer to errno, if it is known.
pub fn errno_distance() -> Option<isize> {
    Some(ERRNO.load(Relaxed)).filter(|&distance| distance != 0)
}

/// The calling thread's errno, if the runtime calls anything that may change it.
pub fn errno() -> Option<*mut c_int> {
    errno_distance().map(|distance| sys::thread_pointer().wrapping_add_signed(distance) as *mut c_int)
}

/// The environment of the process, as the C library has it: null, or an array that ends with null.
pub fn environment() -> *const *const c_char {
    #[cfg(feature = "static")]
    {
        unsafe extern "C" {
            static mut __environ: *const *const c_char;
        }
        // SAFETY: the C library's variable.
        unsafe { (&raw const __environ).read() }
    }
    #[cfg(not(feature = "static"))]
    // SAFETY: as above.
    loaded::variable_of_c_library("__environ")
        .map_or(std::ptr::null(), |address| unsafe { (address as *const *const *const c_char).read() })
}

/// Calls `visit` for each "NAME=value" of the environment.
pub fn each_variable(mut visit: impl FnMut(&[u8])) {
    let mut at = environment();
    // SAFETY: null, or a null-terminated array of C strings. A program that changes its environment while it loads
    // libraries in another thread breaks getenv as well.
    unsafe {
        if !at.is_null() {
            while !(*at).is_null() {
                visit(CStr::from_ptr(*at).to_bytes());
                at = at.add(1);
            }
            return;
        }
    }
    // A pre-initialisation function of the program is ahead of the C library's own initialisation.
    if let Ok(bytes) =
        sys::File::open(c"/proc/self/environ", libc::O_RDONLY, 0).and_then(|file| file.read_to_end())
    {
        bytes.split(|&byte| byte == 0).for_each(visit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_the_c_librarys() {
        find();
        // SAFETY: plain calls.
        unsafe {
            assert_eq!(errno_location(), Some(libc::__errno_location()));
            assert_eq!(errno(), Some(libc::__errno_location()));
        }
    }

    #[test]
    fn the_processor_is_the_same() {
        find();
        // SAFETY: a plain call.
        let told = unsafe { cpuid_leaf(0) }.is_some();
        // SAFETY: as above.
        let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) }.to_string_lossy();
        let minor: u32 = version.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap();
        assert_eq!(told, minor >= 33, "{version}");
        let (known, asked) = (processor(), Processor::ask());
        assert_eq!((known.leaf_1, known.leaf_d_1), (asked.leaf_1, asked.leaf_d_1));
    }

    #[test]
    fn the_environment_is_found() {
        use std::os::unix::ffi::OsStrExt;
        let mut seen = Vec::new();
        each_variable(|variable| seen.push(variable.to_vec()));
        for (name, value) in std::env::vars_os() {
            let variable = [name.as_bytes(), b"=", value.as_bytes()].concat();
            assert!(seen.contains(&variable));
        }
    }
}
