//! The symbols that libautojit.so shows. build.rs has the same list for the linker.

use std::ffi::{c_char, c_int, c_void};

use autojit_trampoline::contract::ImageRecord;
use libc::{Dl_info, gid_t, pid_t, uid_t};

use crate::link::attached::{self, Answer};
use crate::link::unwind::{self, FoundObject};
use crate::link::{addresses, objects};
use crate::platform::loaded::{Next, Visit};
use crate::platform::scope;
use crate::startup::{confine, lifecycle, locked};
use crate::sys;

/// What the constructor of an image with lazy code calls (autojit_trampoline::contract::REGISTER_SYMBOL).
///
/// # Safety
/// The record must be one of a loaded and relocated image.
#[unsafe(no_mangle)]
unsafe extern "C" fn __autojit_register(record: *const ImageRecord) {
    // SAFETY: the caller's promise.
    unsafe { lifecycle::register(record) }
}

/// What debuggers call that have attached to the process (scripts/gdb/autojit.py).
#[unsafe(no_mangle)]
extern "C" fn __autojit_describe(known: u64) -> *const Answer {
    attached::describe(known)
}

autojit_trampoline::define_with_caller! {
    /// Interposes libgcc's function of this name.
    ///
    /// # Safety
    /// As for libgcc's.
    _Unwind_Find_FDE, unwind::find_fde
}

/// Interposes the C library's function of this name.
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn _dl_find_object(address: *const c_void, found: *mut FoundObject) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { unwind::find_object(address, found) }
}

/// Interposes the C library's function of this name, as do those below.
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dl_iterate_phdr(visit: Visit, data: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { objects::iterate(visit, data) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn dladdr(address: *const c_void, info: *mut Dl_info) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { addresses::dladdr(address, info) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn dladdr1(
    address: *const c_void,
    info: *mut Dl_info,
    extra: *mut *mut c_void,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { addresses::dladdr1(address, info, extra, flags) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn backtrace_symbols(array: *const *mut c_void, size: c_int) -> *mut *mut c_char {
    // SAFETY: the caller's promise.
    unsafe { addresses::backtrace_symbols(array, size) }
}

/// See [`dl_iterate_phdr`].
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn backtrace_symbols_fd(array: *const *mut c_void, size: c_int, descriptor: c_int) {
    // SAFETY: the caller's promise.
    unsafe { addresses::backtrace_symbols_fd(array, size, descriptor) }
}

/// Defines functions that do some work of the runtime's and then what the next definition of their name does.
macro_rules! interpose {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty { $first:expr })*) => { $(
        /// Interposes the C library's function of this name.
        ///
        /// # Safety
        /// As for the C library's.
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            static NEXT: Next = Next::new(stringify!($name));
            $first;
            let next = NEXT.address();
            // SAFETY: a function of that name has this type; the arguments are the caller's.
            unsafe {
                let next: unsafe extern "C" fn($($type),*) -> $result = std::mem::transmute(next);
                next($($argument),*)
            }
        }
    )* };
}

/// New limits, or null.
type Limits = *const libc::rlimit64;

interpose! {
    fn chroot(path: *const c_char) -> c_int { confine::leave_files() }
    fn unshare(flags: c_int) -> c_int { confine::before_unshare(flags) }
    fn pivot_root(new: *const c_char, old: *const c_char) -> c_int { confine::leave_files() }
    fn setns(descriptor: c_int, kind: c_int) -> c_int { confine::leave_files() }
    fn setuid(user: uid_t) -> c_int { confine::before_user(user) }
    fn seteuid(user: uid_t) -> c_int { confine::before_user(user) }
    fn setreuid(real: uid_t, effective: uid_t) -> c_int { confine::before_user(effective) }
    fn setresuid(real: uid_t, effective: uid_t, saved: uid_t) -> c_int { confine::before_user(effective) }
    fn setgid(group: gid_t) -> c_int { confine::before_group(group) }
    fn setegid(group: gid_t) -> c_int { confine::before_group(group) }
    fn setregid(real: gid_t, effective: gid_t) -> c_int { confine::before_group(effective) }
    fn setresgid(real: gid_t, effective: gid_t, saved: gid_t) -> c_int { confine::before_group(effective) }
    fn setrlimit(resource: u32, limit: Limits) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { confine::before_limit(0, resource, limit) }
    }
    fn setrlimit64(resource: u32, limit: Limits) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { confine::before_limit(0, resource, limit) }
    }
    fn prlimit(process: pid_t, resource: u32, limit: Limits, old: *mut c_void) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { confine::before_limit(process, resource, limit) }
    }
    fn prlimit64(process: pid_t, resource: u32, limit: Limits, old: *mut c_void) -> c_int {
        // SAFETY: the caller's promise.
        unsafe { confine::before_limit(process, resource, limit) }
    }
    // Variadic functions get their integers in the same registers as others.
    fn prctl(operation: c_int, a: usize, b: usize, c: usize, d: usize) -> c_int {
        confine::before_prctl(operation)
    }
}

/// Interposes the C library's function of this name.
///
/// # Safety
/// As for the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn mlockall(flags: c_int) -> c_int {
    static NEXT: Next = Next::new("mlockall");
    locked::lock_all(flags, |flags| {
        // SAFETY: the function of that name has this type, and takes any flags.
        unsafe { std::mem::transmute::<usize, unsafe extern "C" fn(c_int) -> c_int>(NEXT.address())(flags) }
    })
}

/// Runs when the library is initialised. glibc passes the program's arguments.
#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: unsafe extern "C" fn(c_int, *const *const c_char) = at_start;

unsafe extern "C" fn at_start(count: c_int, arguments: *const *const c_char) {
    // SAFETY: they are as the kernel has put them, with everything behind them (glibc: _dl_init).
    unsafe { sys::note_arguments(count, arguments) };
    scope::count_at_start();
}

/// Runs when the process exits, after the program's own exit handlers.
#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = lifecycle::at_exit;
