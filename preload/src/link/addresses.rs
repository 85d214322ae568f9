//! dladdr, dladdr1, backtrace_symbols and backtrace_symbols_fd: they know the functions that were compiled lazily.
//!
//! Receives addresses. One inside compiled code has the object that the function was linked into, and the function's
//! name; whether the object exports it or not, since an offset from the object's start, which is what else there would
//! be to print, leads nowhere. The address of a function that the runtime has made an entry for has the name that the
//! plain build's symbol table would give it. All other addresses are the C library's to answer.
//!
//! Nothing is allocated but what backtrace_symbols is documented to allocate.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt::{self, Write};
use std::ptr;

use autojit_store::FunctionKind;
use libc::Dl_info;

use crate::link::names;
use crate::platform::loaded::Next;
use crate::platform::scope;
use crate::program::image::{self, Image};
use crate::program::unwind_table;
use crate::sys;

type Dladdr = unsafe extern "C" fn(*const c_void, *mut Dl_info) -> c_int;
type Dladdr1 = unsafe extern "C" fn(*const c_void, *mut Dl_info, *mut *mut c_void, c_int) -> c_int;
type Symbols = unsafe extern "C" fn(*const *mut c_void, c_int) -> *mut *mut c_char;
type SymbolsFd = unsafe extern "C" fn(*const *mut c_void, c_int, c_int);
type Allocate = unsafe extern "C" fn(usize) -> *mut c_void;
type Release = unsafe extern "C" fn(*mut c_void);

static DLADDR: Next = Next::new("dladdr");
static DLADDR1: Next = Next::new("dladdr1");
static SYMBOLS: Next = Next::new("backtrace_symbols");
static SYMBOLS_FD: Next = Next::new("backtrace_symbols_fd");

/// glibc's flag of dladdr1 for the symbol's entry (dlfcn.h).
const RTLD_DL_SYMENT: c_int = 1;

/// What an address in code memory belongs to.
struct Owner {
    image: &'static Image,
    /// The function's name and address.
    function: Option<(&'static CStr, usize)>,
}

impl Owner {
    /// None for an address that is not in code memory.
    fn of(address: *const c_void) -> Option<Self> {
        let address = address as usize;
        let image = image::owner(address)?;
        let compiled = unwind_table::TABLE.symbol(address).map(|named| (named.name, named.start));
        Some(Self { image, function: compiled.or_else(|| entry(image, address)) })
    }

    /// Puts its function into `info`, which describes its image.
    fn describe(&self, info: &mut Dl_info) {
        info.dli_sname = self.function.map_or(ptr::null(), |(name, _)| name.as_ptr());
        info.dli_saddr = self.function.map_or(ptr::null_mut(), |(_, start)| start as *mut c_void);
    }
}

/// The function of an entry that the runtime has made, if the plain build's image would export it.
fn entry(image: &Image, address: usize) -> Option<(&'static CStr, usize)> {
    let function = image::function_of_entry(address)?;
    let info = function.info();
    let exported = info.kind == FunctionKind::Inline && image.exports_its_functions();
    exported.then(|| (names::of_entry(address, info.name), address))
}

/// See the head of the file.
///
/// # Safety
/// As for the C library's function.
pub unsafe fn dladdr(address: *const c_void, info: *mut Dl_info) -> c_int {
    // SAFETY: the C library's function has this type; the rest is the caller's promise.
    unsafe {
        let dladdr: Dladdr = std::mem::transmute(DLADDR.address());
        let Some(owner) = Owner::of(address) else { return dladdr(address, info) };
        let result = dladdr(owner.image.address() as *const c_void, info);
        if result != 0 {
            owner.describe(&mut *info);
        }
        result
    }
}

/// See the head of the file.
///
/// # Safety
/// As for the C library's function.
pub unsafe fn dladdr1(
    address: *const c_void,
    info: *mut Dl_info,
    extra: *mut *mut c_void,
    flags: c_int,
) -> c_int {
    // SAFETY: as above.
    unsafe {
        let dladdr1: Dladdr1 = std::mem::transmute(DLADDR1.address());
        let Some(owner) = Owner::of(address) else { return dladdr1(address, info, extra, flags) };
        let result = dladdr1(owner.image.address() as *const c_void, info, extra, flags);
        if result != 0 {
            owner.describe(&mut *info);
            if flags == RTLD_DL_SYMENT {
                // It has no entry in a symbol table.
                extra.write(ptr::null_mut());
            }
        }
        result
    }
}

/// The line for an address in code memory, as glibc writes them.
struct Line {
    address: usize,
    info: Dl_info,
    /// What stands in front of the address.
    gap: &'static str,
}

impl Line {
    /// None for an address that is not in code memory.
    fn of(address: *mut c_void, gap: &'static str) -> Option<Self> {
        Owner::of(address)?;
        // SAFETY: a structure of pointers, which dladdr fills.
        let info = unsafe {
            let mut info = std::mem::zeroed();
            dladdr(address, &raw mut info);
            info
        };
        Some(Self { address: address as usize, info, gap })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: what dladdr has filled in are C strings, or null.
        let text = |text: *const c_char| unsafe { (!text.is_null()).then(|| CStr::from_ptr(text)) };
        if let Some(file) = text(self.info.dli_fname) {
            write_bytes(f, file)?;
            let start = match text(self.info.dli_sname) {
                Some(name) => {
                    f.write_char('(')?;
                    write_bytes(f, name)?;
                    self.info.dli_saddr as usize
                }
                None => {
                    f.write_char('(')?;
                    self.info.dli_fbase as usize
                }
            };
            let sign = if self.address >= start { '+' } else { '-' };
            write!(f, "{sign}{:#x})", self.address.abs_diff(start))?;
        }
        write!(f, "{}[{:#x}]", self.gap, self.address)
    }
}

/// A symbol or a path, which need not be UTF-8; but what is not cannot be formatted.
fn write_bytes(f: &mut fmt::Formatter<'_>, text: &CStr) -> fmt::Result {
    text.to_bytes().utf8_chunks().try_for_each(|chunk| f.write_str(chunk.valid()))
}

/// The malloc and free that the image around `address` calls. The runtime's own, which the names mean here, have another
/// heap than the program, which frees the result.
fn allocator_of(address: usize) -> Option<(Allocate, Release)> {
    // SAFETY: what is loaded is relocated before it calls anything of this library; the functions have these types.
    unsafe {
        let [allocate, release] = ["malloc", "free"].map(|name| Some(scope::find(name, address)?.resolve()));
        Some((
            std::mem::transmute::<usize, Allocate>(allocate?),
            std::mem::transmute::<usize, Release>(release?),
        ))
    }
}

/// See the head of the file.
///
/// # Safety
/// As for the C library's function.
pub unsafe fn backtrace_symbols(array: *const *mut c_void, size: c_int) -> *mut *mut c_char {
    // SAFETY: the C library's function has this type. It is asked for all addresses, so the rest of the array is right;
    // the result is one block of memory: pointers, then strings.
    unsafe {
        let symbols: Symbols = std::mem::transmute(SYMBOLS.address());
        let count = usize::try_from(size).unwrap_or(0);
        let Some((allocate, release)) = allocator_of(SYMBOLS.address()) else {
            return symbols(array, size);
        };
        let ours = (0..count).filter_map(|index| Line::of(*array.add(index), " "));
        let room: usize = ours.map(|line| length(&line) + 1).sum();
        let theirs = symbols(array, size);
        if room == 0 || theirs.is_null() {
            return theirs;
        }
        let text = |index| CStr::from_ptr(*theirs.add(index)).to_bytes_with_nul();
        let all = (0..count).map(|index| text(index).len()).sum::<usize>() + room;
        let result: *mut *mut c_char = allocate(count * size_of::<*mut c_char>() + all).cast();
        if !result.is_null() {
            let mut at: *mut u8 = result.add(count).cast();
            for index in 0..count {
                result.add(index).write(at.cast());
                let mut text = text(index);
                let mut into = Memory { at };
                match Line::of(*array.add(index), " ") {
                    // Memory takes everything: it was measured.
                    Some(line) => write!(into, "{line}\0").unwrap_or_default(),
                    None => into.put(std::mem::take(&mut text)),
                }
                at = into.at;
            }
        }
        release(theirs.cast());
        result
    }
}

/// See the head of the file.
///
/// # Safety
/// As for the C library's function.
pub unsafe fn backtrace_symbols_fd(array: *const *mut c_void, size: c_int, descriptor: c_int) {
    // SAFETY: the C library's function has this type; the array is the caller's.
    unsafe {
        let symbols: SymbolsFd = std::mem::transmute(SYMBOLS_FD.address());
        for index in 0..usize::try_from(size).unwrap_or(0) {
            let address = array.add(index);
            match Line::of(*address, "") {
                Some(line) => {
                    let mut into = Descriptor { descriptor, buffer: [0; 256], used: 0 };
                    // A descriptor that takes nothing is no reason to stop.
                    let _ = writeln!(into, "{line}");
                    into.flush();
                }
                None => symbols(address, 1, descriptor),
            }
        }
    }
}

/// The length of a text.
fn length(text: &dyn fmt::Display) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 += text.len();
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting does not fail.
    let _ = write!(count, "{text}");
    count.0
}

/// Memory that is large enough for what is written.
struct Memory {
    at: *mut u8,
}

impl Memory {
    fn put(&mut self, bytes: &[u8]) {
        // SAFETY: the memory was measured for everything that is written to it.
        unsafe {
            self.at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            self.at = self.at.add(bytes.len());
        }
    }
}

impl Write for Memory {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// A file, written in pieces.
struct Descriptor {
    descriptor: c_int,
    buffer: [u8; 256],
    used: usize,
}

impl Descriptor {
    fn flush(&mut self) {
        // As above.
        let _ = sys::write(self.descriptor, &self.buffer[..self.used]);
        self.used = 0;
    }
}

impl Write for Descriptor {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.as_bytes().chunks(self.buffer.len()) {
            if self.used + piece.len() > self.buffer.len() {
                self.flush();
            }
            self.buffer[self.used..self.used + piece.len()].copy_from_slice(piece);
            self.used += piece.len();
        }
        Ok(())
    }
}
