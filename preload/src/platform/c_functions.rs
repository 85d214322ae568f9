//! Functions of the C library that Rust's standard library refers to, in versions of our own.
//!
//! The program may define functions of these names, lazily perhaps: a reference to one of them would lead into code that
//! is not compiled yet, from where it would be compiled. So the runtime has no undefined symbol (a test looks), and what
//! it needs of the C library itself it looks up there ([`c_library`](crate::platform::c_library)). Most of these are never called:
//! the standard library has more in it than the runtime uses.
//!
//! In the static library, too, the allocator's names are the runtime's. Compiled code gets the program's functions of these
//! names from [`loaded::held`](crate::platform::loaded::held), which calls them by another one.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

#[cfg(not(test))]
use autojit_trampoline::define_hidden;
use autojit_trampoline::tls;

use crate::sys::{self, Errno};

/// Defines each under its name in C. Tests are programs with the C library's.
macro_rules! define {
    ($($name:literal = $function:path;)*) => { $(
        #[cfg(not(test))]
        define_hidden!($name, $function);
    )* };
}

define! {
    "__errno_location" = tls::errno;
    "__cxa_thread_atexit_impl" = at_thread_exit;
    "abort" = abort;
    "syscall" = system_call;
    "write" = write;
    "writev" = writev;
    "read" = read;
    "open64" = open;
    "close" = close;
    "lseek64" = seek;
    "fstat64" = status_of;
    "stat64" = status;
    "statx" = extended_status;
    "mmap64" = map;
    "munmap" = unmap;
    "readlink" = read_link;
    "getcwd" = working_directory;
    "realpath" = real_path;
    "getenv" = variable;
    "gettid" = thread;
    "pthread_key_create" = create_key;
    "pthread_key_delete" = delete_key;
    "pthread_setspecific" = set_value;
    // zstd's decoder allocates its tables.
    "malloc" = allocate;
    "realloc" = reallocate;
    "free" = release;
    // zstd asks these weak ones for a number of a trace (lib/common/zstd_trace.h).
    "ZSTD_trace_decompress_begin" = no_trace;
    "ZSTD_trace_decompress_end" = trace_nothing;
}

#[cfg(not(feature = "static"))]
define! {
    // Static programs have no such calls: linkers make them constants.
    "__tls_get_addr" = tls::get_address;
}

/// No trace.
unsafe extern "C" fn no_trace(_: *const c_void) -> u64 {
    0
}

/// The end of none.
unsafe extern "C" fn trace_nothing(_: u64, _: *const c_void) {}

/// A system call, as the C library's functions give back its result.
///
/// # Safety
/// As [`sys::syscall`].
unsafe fn call(number: c_long, arguments: [usize; 6]) -> isize {
    // SAFETY: the caller's promise.
    match unsafe { sys::syscall(number, arguments) } {
        Ok(result) => result as isize,
        Err(error) => fail(error),
    }
}

fn fail(Errno(error): Errno) -> isize {
    // SAFETY: the calling thread's own variable.
    unsafe { tls::errno().write(error) };
    -1
}

/// Defines functions that are system calls with the same arguments.
macro_rules! system_calls {
    ($($(#[$doc:meta])* $function:ident = $number:ident($($argument:ident),*);)*) => { $(
        $(#[$doc])*
        unsafe extern "C" fn $function($($argument: usize),*) -> isize {
            let mut arguments = [0; 6];
            for (to, from) in arguments.iter_mut().zip([$($argument),*] as [usize; _]) {
                *to = from;
            }
            // SAFETY: the caller's promise.
            unsafe { call(libc::$number, arguments) }
        }
    )* };
}

system_calls! {
    write = SYS_write(file, bytes, size);
    writev = SYS_writev(file, parts, count);
    read = SYS_read(file, bytes, size);
    open = SYS_open(path, flags, mode);
    close = SYS_close(file);
    seek = SYS_lseek(file, offset, from);
    status_of = SYS_fstat(file, status);
    status = SYS_stat(path, status);
    extended_status = SYS_statx(directory, path, flags, mask, status);
    map = SYS_mmap(address, size, protection, flags, file, offset);
    unmap = SYS_munmap(address, size);
    read_link = SYS_readlink(path, target, size);
}

/// Variadic in C: integers are in the same registers.
unsafe extern "C" fn system_call(
    number: c_long,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> isize {
    // SAFETY: the caller's promise.
    unsafe { call(number, [a, b, c, d, e, f]) }
}

extern "C" fn thread() -> c_int {
    sys::thread_id() as c_int
}

extern "C" fn abort() -> ! {
    sys::abort_without_handlers()
}

unsafe extern "C" fn working_directory(buffer: *mut c_char, size: usize) -> *mut c_char {
    // SAFETY: the caller's promise.
    let result = unsafe { call(libc::SYS_getcwd, [buffer as usize, size, 0, 0, 0, 0]) };
    if result < 0 { std::ptr::null_mut() } else { buffer }
}

extern "C" fn real_path(_: *const c_char, _: *mut c_char) -> *mut c_char {
    fail(Errno(libc::ENOSYS));
    std::ptr::null_mut()
}

/// The environment is the program's: what the standard library would ask for (RUST_BACKTRACE) is not meant for us.
extern "C" fn variable(_: *const c_char) -> *mut c_char {
    std::ptr::null_mut()
}

/// Thread-local variables of the runtime are not destroyed: they own next to nothing.
extern "C" fn at_thread_exit(_: usize, _: *mut c_void, _: *mut c_void) -> c_int {
    0
}

extern "C" fn create_key(_: *mut c_uint, _: usize) -> c_int {
    libc::EAGAIN
}

extern "C" fn delete_key(_: c_uint) -> c_int {
    0
}

extern "C" fn set_value(_: c_uint, _: *const c_void) -> c_int {
    libc::EINVAL
}

/// In front of a block: its size.
const HEADER: usize = 16;

fn layout(size: usize) -> Option<std::alloc::Layout> {
    std::alloc::Layout::from_size_align(size.checked_add(HEADER)?, HEADER).ok()
}

extern "C" fn allocate(size: usize) -> *mut u8 {
    let Some(layout) = layout(size) else { return std::ptr::null_mut() };
    // SAFETY: the layout has a size, and the block room for the header.
    unsafe {
        let block = std::alloc::alloc(layout);
        if block.is_null() {
            return block;
        }
        block.cast::<usize>().write(size);
        block.add(HEADER)
    }
}

unsafe extern "C" fn release(block: *mut u8) {
    if block.is_null() {
        return;
    }
    // SAFETY: `allocate` has made the block (caller), with its size in front.
    unsafe {
        let start = block.sub(HEADER);
        if let Some(layout) = layout(start.cast::<usize>().read()) {
            std::alloc::dealloc(start, layout);
        }
    }
}

unsafe extern "C" fn reallocate(block: *mut u8, size: usize) -> *mut u8 {
    let new = allocate(size);
    if !new.is_null() && !block.is_null() {
        // SAFETY: as in `release`; both blocks have the lesser of the sizes.
        unsafe {
            let old = block.sub(HEADER).cast::<usize>().read();
            new.copy_from_nonoverlapping(block, old.min(size));
            release(block);
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_content() {
        // SAFETY: the blocks are used within their sizes.
        unsafe {
            let block = allocate(10);
            block.copy_from_nonoverlapping(b"0123456789".as_ptr(), 10);
            let block = reallocate(block, 1 << 20);
            assert_eq!(std::slice::from_raw_parts(block, 10), b"0123456789");
            let block = reallocate(block, 4);
            assert_eq!(std::slice::from_raw_parts(block, 4), b"0123");
            release(block);
            release(std::ptr::null_mut());
        }
        assert!(allocate(usize::MAX).is_null());
    }

    #[test]
    fn errors_are_in_a_variable_of_our_own() {
        // SAFETY: there is no such descriptor; each is the calling thread's variable.
        unsafe {
            *libc::__errno_location() = 77;
            assert_eq!(close(usize::MAX), -1);
            assert_eq!((*tls::errno(), *libc::__errno_location()), (libc::EBADF, 77));
            assert_eq!(system_call(libc::SYS_getppid, 0, 0, 0, 0, 0, 0), libc::getppid() as isize);
        }
    }
}
