//! A shared library that the runtime maps itself: the engine, and the mathematical functions of the C library for it.
//!
//! Receives a path; hands on the addresses of the library's functions. dlopen would call the program's malloc, which
//! may be what made the first call, and wait for the loader's lock, which may be held by a thread that waits for this
//! one. Here nothing of the program's runs: a reference binds to the C library itself, whatever the program has put
//! in the place of its functions.
//!
//! The library may need the C library, the mathematical one (of which it gets a copy of its own: the program's may be
//! unloaded) and the dynamic linker. Its thread-local variables lie in the room that libautojit.so has in each thread
//! ([`autojit_trampoline::tls`]). It is never unloaded, and its destructors do not run.
//!
//! * `arch`: fills in addresses; [`memory`]: what is mapped for it; [`substitutes`]: functions of the C library that it must not use, among them
//!   those of [`thread_end`]

mod arch;
pub mod memory;
mod substitutes;
pub mod thread_end;

pub use memory::mapped;

use std::ffi::{CStr, CString};

use autojit_trampoline::tls;
use goblin::elf::dynamic::{DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_NEEDED, DT_STRTAB};
use goblin::elf::header::{ELFMAG, ET_DYN, SELFMAG};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_RELRO, PT_LOAD, PT_TLS};
use goblin::elf64::header::Header;
use goblin::elf64::program_header::ProgramHeader;

use crate::platform::loaded::{self, LoadedObject};
use crate::settings::failure::Failure;
use crate::sys::{self, File};

/// Whether libraries can be loaded at all.
pub const IS_POSSIBLE: bool = true;

const PAGE: usize = 4096;

/// The first byte of a thread's room says whether the variables behind it have their first values.
const TLS_START: usize = tls::ALIGN;

/// A library that is mapped, relocated and initialised.
#[derive(Clone, Debug)]
pub struct Library {
    object: LoadedObject<'static>,
    headers: &'static [ProgramHeader],
}

impl Library {
    /// Loads the library `path`, and what it needs and the process does not have.
    ///
    /// # Errors
    /// It cannot be read, is no library for this machine, or needs what is not there. Says why, but not which file.
    pub fn load(path: &CStr) -> Result<Self, Failure> {
        let library = Self::map(path)?;
        let mut needed = Vec::new();
        for name in library.needed() {
            needed.push(Provider::of(name)?);
        }
        library.relocate(&needed)?;
        library.protect()?;
        library.enter_thread();
        library.initialise();
        Ok(library)
    }

    /// The address of the function `name`.
    pub fn find(&self, name: &str) -> Option<usize> {
        let definition = self.object.define(name)?;
        // SAFETY: the library is relocated.
        Some(unsafe { definition.resolve() })
    }

    /// Gives the library's thread-local variables their first values in the calling thread, once. To be called before
    /// each call into the library.
    pub fn enter_thread(&self) {
        let Some(segment) = self.headers.iter().find(|header| header.p_type == PT_TLS) else { return };
        let room = sys::thread_pointer().wrapping_add_signed(tls::offset()) as *mut u8;
        // SAFETY: the room is this thread's alone and has tls::SIZE bytes; `relocate` has checked that the variables
        // fit in. Their first values are in the library's memory; what is behind them is zero in a new thread.
        unsafe {
            if room.read() == 0 {
                room.write(1);
                let values = self.at(segment.p_vaddr) as *const u8;
                room.add(TLS_START).copy_from_nonoverlapping(values, segment.p_filesz as usize);
            }
        }
    }

    /// The address of something in the file's address space.
    fn at(&self, address: u64) -> usize {
        self.object.base.wrapping_add(address as usize)
    }

    fn map(path: &CStr) -> Result<Self, Failure> {
        let failure = |error: sys::Errno| Failure::new(format_args!("{error}"));
        let file = File::open(path, libc::O_RDONLY, 0).map_err(failure)?;
        let size = file.size().map_err(failure)?;
        let headers: &'static [ProgramHeader] = Box::leak(read_headers(&file)?.into_boxed_slice());
        let segments = || headers.iter().filter(|header| header.p_type == PT_LOAD);
        let end = segments().map(|s| s.p_vaddr.saturating_add(s.p_memsz)).max().unwrap_or(0) as usize;
        let fits = |s: &ProgramHeader| {
            s.p_offset.checked_add(s.p_filesz).is_some_and(|end| end <= size as u64)
                && s.p_filesz <= s.p_memsz
                && s.p_vaddr % PAGE as u64 == s.p_offset % PAGE as u64
        };
        if end == 0 || end > isize::MAX as usize / 2 || !segments().all(fits) {
            return Err(Failure::new(format_args!("the file is damaged")));
        }
        let base = sys::reserve_pages(end.next_multiple_of(PAGE)).map_err(failure)?;
        memory::note(base..base + end.next_multiple_of(PAGE));
        for segment in segments() {
            // SAFETY: the reservation spans all segments, and nothing else knows it.
            unsafe { map_segment(&file, base, segment) }.map_err(failure)?;
        }
        Ok(Self { object: LoadedObject::mapped(base, headers), headers })
    }

    /// The names of the libraries that it needs.
    fn needed(&self) -> impl Iterator<Item = &'static CStr> {
        let strings = self.object.dynamic().find(|entry| entry.d_tag == DT_STRTAB).map_or(0, |e| e.d_val);
        let strings = self.at(strings);
        // SAFETY: the library is mapped, and the offsets are of NUL-terminated names (gABI).
        self.object
            .dynamic()
            .filter(|entry| entry.d_tag == DT_NEEDED)
            .map(move |entry| unsafe { CStr::from_ptr((strings + entry.d_val as usize) as *const _) })
    }

    /// Makes read-only what is not written after relocation.
    fn protect(&self) -> Result<(), Failure> {
        for header in self.headers.iter().filter(|header| header.p_type == PT_GNU_RELRO) {
            let start = self.at(header.p_vaddr);
            let first = start & !(PAGE - 1);
            let end = (start + header.p_memsz as usize) & !(PAGE - 1);
            if first < end {
                // SAFETY: pages of the library, which the linker says are not written any more.
                unsafe { sys::protect_pages(first, end - first, libc::PROT_READ) }
                    .map_err(|error| Failure::new(format_args!("protecting its tables: {error}")))?;
            }
        }
        Ok(())
    }

    /// Runs its constructors.
    fn initialise(&self) {
        type Constructor = extern "C" fn(i32, *const *const std::ffi::c_char, *const *const std::ffi::c_char);
        let value = |tag| self.object.dynamic().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val);
        let mut constructors = Vec::new();
        constructors.extend(value(DT_INIT).map(|address| self.at(address)));
        if let (Some(array), Some(size)) = (value(DT_INIT_ARRAY), value(DT_INIT_ARRAYSZ)) {
            let array = self.at(array) as *const usize;
            for index in 0..size as usize / size_of::<usize>() {
                // SAFETY: the array is in the library's relocated memory (gABI).
                constructors.push(unsafe { array.add(index).read() });
            }
        }
        let nothing = std::ptr::null();
        for constructor in constructors.into_iter().filter(|&address| address != 0 && address != usize::MAX) {
            // SAFETY: constructors have this type (glibc passes the program's arguments, of which there are none here).
            unsafe { std::mem::transmute::<usize, Constructor>(constructor)(0, &nothing, &nothing) }
        }
    }
}

/// Reads the program headers of a shared library for this machine.
fn read_headers(file: &File) -> Result<Vec<ProgramHeader>, Failure> {
    const LIMIT: usize = 64;
    let strange = || Failure::new(format_args!("it is no shared library for x86-64"));
    let read = |offset, bytes: &mut [u8]| match file.read_at(offset, bytes) {
        Ok(count) if count == bytes.len() => Ok(()),
        Ok(_) => Err(strange()),
        Err(error) => Err(Failure::new(format_args!("{error}"))),
    };
    let mut bytes = [0; size_of::<Header>()];
    read(0, &mut bytes)?;
    // SAFETY: a structure of integers without padding (gABI); the read is unaligned.
    let header = unsafe { bytes.as_ptr().cast::<Header>().read_unaligned() };
    let count = usize::from(header.e_phnum);
    if &header.e_ident[..SELFMAG] != ELFMAG
        || header.e_type != ET_DYN
        || header.e_machine != arch::MACHINE
        || usize::from(header.e_phentsize) != size_of::<ProgramHeader>()
        || count > LIMIT
    {
        return Err(strange());
    }
    let mut bytes = vec![0; count * size_of::<ProgramHeader>()];
    read(header.e_phoff as usize, &mut bytes)?;
    let entry = |bytes: &[u8]| {
        // SAFETY: as above, and the chunk has the structure's size.
        unsafe { bytes.as_ptr().cast::<ProgramHeader>().read_unaligned() }
    };
    Ok(bytes.chunks_exact(size_of::<ProgramHeader>()).map(entry).collect())
}

/// Maps a loadable segment to its place behind `base`.
///
/// # Safety
/// The segment's pages must be reserved there for the library.
unsafe fn map_segment(file: &File, base: usize, segment: &ProgramHeader) -> Result<(), sys::Errno> {
    let flag = |flag, protection| if segment.p_flags & flag != 0 { protection } else { 0 };
    let protection = flag(PF_R, libc::PROT_READ) | flag(PF_W, libc::PROT_WRITE) | flag(PF_X, libc::PROT_EXEC);
    let start = base + segment.p_vaddr as usize;
    let (first, file_end) = (start & !(PAGE - 1), start + segment.p_filesz as usize);
    let end = start + segment.p_memsz as usize;
    if file_end > first {
        let offset = segment.p_offset as usize & !(PAGE - 1);
        // SAFETY: the caller's promise; address and offset are of one page.
        unsafe {
            file.map_at(first, file_end - first, protection, libc::MAP_PRIVATE | libc::MAP_FIXED, offset)?
        };
    }
    if end > file_end && protection & libc::PROT_WRITE != 0 {
        let zeroes = file_end.next_multiple_of(PAGE);
        // SAFETY: the rest of the last page from the file, which is writable, and reserved pages behind it.
        unsafe {
            std::ptr::write_bytes(file_end as *mut u8, 0, zeroes.min(end) - file_end);
            if end > zeroes {
                sys::protect_pages(zeroes, end.next_multiple_of(PAGE) - zeroes, protection)?;
            }
        }
    }
    Ok(())
}

/// Defines the functions that a library refers to.
enum Provider {
    /// A library that the dynamic linker has loaded and never unloads: its file name.
    Loaded(&'static [u8]),
    /// One of ours.
    Own(Library),
}

impl Provider {
    /// The provider of what the library `name` defines.
    fn of(name: &CStr) -> Result<Self, Failure> {
        const C: &[u8] = b"libc.so.6";
        const LINKER: &[u8] = b"ld-linux-x86-64.so.2";
        let failure =
            |cause: &dyn std::fmt::Display| Failure::new(format_args!("it needs {name:?}: {cause}"));
        for known in [C, LINKER] {
            if name.to_bytes() == known {
                return Ok(Self::Loaded(known));
            }
        }
        if name.to_bytes() != b"libm.so.6" {
            return Err(failure(&"autojit's compiler needs no such library"));
        }
        let c = loaded::by_file_name(C, |object| object.name.to_owned())
            .ok_or_else(|| failure(&"the program has no C library"))?;
        let directory = c.to_bytes().iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let path = [&c.to_bytes()[..directory], name.to_bytes()].concat();
        let path = CString::new(path).expect("made of C strings");
        let library = Library::load(&path)
            .map_err(|error| failure(&format_args!("{}: {error}", path.to_string_lossy())))?;
        Ok(Self::Own(library))
    }

    /// The address that a reference to `name` binds to.
    fn find(&self, name: &str) -> Option<usize> {
        match self {
            Self::Own(library) => library.find(name),
            Self::Loaded(file) => {
                let found = loaded::by_file_name(file, |object| object.define(name))??;
                // The C library uses the executable's copy of a variable, too.
                if found.variable
                    && let Some(variable) = loaded::variable_of_c_library(name)
                {
                    return Some(variable);
                }
                // SAFETY: the process is past its relocation: code of it runs.
                Some(unsafe { found.resolve() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mathematics_of_its_own() {
        let Ok(Provider::Own(library)) = Provider::of(c"libm.so.6") else { panic!("libm lies beside libc") };
        let find = |name| library.find(name).expect("libm has it");
        // SAFETY: the functions' types (C11, 7.12).
        let pow = unsafe { std::mem::transmute::<usize, extern "C" fn(f64, f64) -> f64>(find("pow")) };
        // SAFETY: likewise.
        let log = unsafe { std::mem::transmute::<usize, extern "C" fn(f64) -> f64>(find("log")) };
        assert_eq!(pow(2.0, 0.5), 2_f64.powf(0.5));
        // SAFETY: this thread's errno.
        unsafe { *libc::__errno_location() = 0 };
        assert!(log(-1.0).is_nan());
        // SAFETY: as above. The library's reference to it was bound to the C library's.
        assert_eq!(unsafe { *libc::__errno_location() }, libc::EDOM);
        assert_eq!(library.find("no_such_function"), None);
    }

    #[test]
    fn other_files_are_refused() {
        for (path, cause) in [
            (c"/nowhere", "no such file"),
            (c"/proc/self/environ", "no shared library"),
            (c"/etc/passwd", "no shared library"),
        ] {
            let error = Library::load(path).expect_err("it is no library").to_string();
            assert!(error.contains(cause), "{error}");
        }
    }
}
