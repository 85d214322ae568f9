//! The twin of loaded/next.rs in the static library, where nothing is interposed.

use std::ffi::{c_int, c_void};

use autojit_trampoline::contract::slot_of_stub;
use autojit_trampoline::linked::{own_libgcc, own_libunwind, own_register_atfork};

use super::{Definition, Visit, link_map};
use crate::platform::c_library;

/// Calls the C library's dl_iterate_phdr. A static program is the only object: the name would be that of a function of the
/// program's, if it defines one.
///
/// # Safety
/// As for that function.
pub unsafe fn iterate(visit: Visit, data: *mut c_void) -> c_int {
    c_library::find();
    // SAFETY: the caller's promise.
    if let Some(result) = unsafe { c_library::iterate_phdr(visit, data) } {
        return result;
    }
    let Some(program) = link_map::executable() else { return 0 };
    let mut info = libc::dl_phdr_info {
        dlpi_addr: program.base as u64,
        dlpi_name: program.name.as_ptr(),
        dlpi_phdr: program.headers.as_ptr().cast(),
        dlpi_phnum: program.headers.len() as u16,
        dlpi_adds: 1,
        dlpi_subs: 0,
        dlpi_tls_modid: 0,
        dlpi_tls_data: std::ptr::null_mut(),
    };
    // SAFETY: the caller's promise; the description lives for ever.
    unsafe { visit(&raw mut info, size_of::<libc::dl_phdr_info>(), data) }
}

/// Registers handlers for forks where the C library is a part of the program: 0, or an error. A program that defines such
/// functions itself, lazily, is one for which nothing would call the handlers.
///
/// # Safety
/// The handlers must stay.
pub unsafe fn register_atfork(
    prepare: unsafe extern "C" fn(),
    parent: unsafe extern "C" fn(),
    child: unsafe extern "C" fn(),
) -> c_int {
    type Register = unsafe extern "C" fn(
        unsafe extern "C" fn(),
        unsafe extern "C" fn(),
        unsafe extern "C" fn(),
        *const c_void,
    ) -> c_int;
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: unsafe extern "C" fn(),
            parent: unsafe extern "C" fn(),
            child: unsafe extern "C" fn(),
        ) -> c_int;
    }
    // glibc's, which a program has if it forks.
    let own = match own_register_atfork() {
        0 => pthread_atfork as *const () as usize,
        own => own,
    };
    // SAFETY: the address is one of functions of the program; the types are those of both names (the first ignores
    // the last argument); the rest is the caller's promise.
    unsafe {
        if slot_of_stub(own as *const u8).is_some() {
            return 0;
        }
        let register: Register = std::mem::transmute(own);
        register(prepare, parent, child, std::ptr::null())
    }
}

/// No definition is behind the program's own.
pub fn next_definition(_: &str) -> Option<Definition> {
    None
}

/// No address: the runtime is a part of the program, whose symbols are looked up like those of any other.
pub fn own_address() -> usize {
    0
}

/// The directory of the program, with a slash at its end.
pub fn own_directory() -> Vec<u8> {
    let mut path = crate::sys::read_link(c"/proc/self/exe").unwrap_or_default();
    path.truncate(path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1));
    if path.is_empty() {
        path.push(b'/');
    }
    path
}

/// Functions of unwinders that are linked into the program, or 0: libgcc's and libunwind's.
pub fn own_unwinders() -> [usize; 2] {
    [own_libgcc(), own_libunwind()]
}

/// Functions of the C library that optimisers put in the place of others, or that inline functions of its headers call: an
/// object's references to the latter are weak, since it may turn out that nothing calls them, and take nothing out of an
/// archive.
macro_rules! held {
    ($($(#[$attribute:meta])* $name:ident)*) => {
        /// The address of such a function: referred to here, they are in each program that has the runtime inside, as the
        /// linker would have put them there for the calls that are made now.
        pub fn held(name: &str) -> Option<usize> {
            unsafe extern "C" {
                $( $(#[$attribute])* fn $name(); )*
            }
            match name {
                $( stringify!($name) => Some($name as *const () as usize), )*
                _ => None,
            }
        }
    };
}

held! {
    memcpy memmove memset memcmp bcmp memchr memrchr memccpy mempcpy wcslen
    strlen strnlen strchr strrchr strcmp strncmp strcpy stpcpy strncpy stpncpy strcat strncat strdup strndup strstr
    puts putchar fputc fputs fwrite sprintf snprintf vsprintf vsnprintf
    vprintf vfprintf putc getc fgetc getchar __ctype_tolower_loc __ctype_toupper_loc
    strtol strtoul strtoll strtoull strtod
    // scripts/build gives it the program's name, which within the library is the runtime's.
    #[link_name = "__autojit_program_malloc"]
    malloc
    calloc
}
