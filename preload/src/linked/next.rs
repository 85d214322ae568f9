//! The twin of loaded/next.rs in the static library: nothing is interposed, so the C library's functions go by their
//! names.

use std::ffi::{c_int, c_void};

use autojit_trampoline::linked::{own_libgcc, own_libunwind};

use goblin::elf::program_header::PT_LOAD;
use goblin::elf64::header::Header;
use goblin::elf64::program_header::ProgramHeader;

use super::Visit;

/// Calls the C library's dl_iterate_phdr, which static programs have, too.
///
/// # Safety
/// As for that function.
pub unsafe fn iterate(visit: Visit, data: *mut c_void) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { libc::dl_iterate_phdr(Some(visit), data) }
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

/// Base and program headers of an object that the C library knows none of: a static program, whose allocator may be called
/// before the C library has noted them. From the kernel then.
pub fn unknown_headers() -> (usize, &'static [ProgramHeader]) {
    // SAFETY: the kernel has passed the address of the program's headers, and their number; they stay.
    let headers = unsafe {
        let address = libc::getauxval(libc::AT_PHDR) as *const ProgramHeader;
        let count = libc::getauxval(libc::AT_PHNUM) as usize;
        if address.is_null() { &[] } else { std::slice::from_raw_parts(address, count) }
    };
    // They are behind the file header, which begins the segment that has the file's first byte.
    let start = (headers.as_ptr() as usize).wrapping_sub(size_of::<Header>());
    let first = headers.iter().find(|header| header.p_type == PT_LOAD && header.p_offset == 0);
    (first.map_or(0, |first| start.wrapping_sub(first.p_vaddr as usize)), headers)
}

/// Functions of the C library that optimisers put in the place of others, or that inline functions of its headers call: an
/// object's references to the latter are weak, since it may turn out that nothing calls them, and take nothing out of an
/// archive.
macro_rules! held {
    ($($name:ident)*) => {
        /// The address of such a function: referred to here, they are in each program that has the runtime inside, as the
        /// linker would have put them there for the calls that are made now.
        pub fn held(name: &str) -> Option<usize> {
            unsafe extern "C" {
                $( fn $name(); )*
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
    malloc calloc
}
