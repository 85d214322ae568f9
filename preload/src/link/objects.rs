//! dl_iterate_phdr: the objects that the loader knows, and behind them the compiled code, as objects of its own (see
//! names.rs).
//!
//! Unwinders that programs bring along find their tables this way, and printers of stacks the files with names.
//! Callers count on the loader's lock to protect what they remember between calls, so that all of it happens inside a
//! call of the C library's function. A program without compiled code gets that function, unchanged.

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use autojit_code::describe;
use goblin::elf64::program_header::ProgramHeader;
use libc::dl_phdr_info;

use crate::link::names;
use crate::platform::loaded::{self, Visit};
use crate::program::image;

/// A caller's request.
struct Request {
    visit: Visit,
    data: *mut c_void,
    /// Objects that were added to the loader's, and those of them that went.
    added: [u64; 2],
    /// The loader's counts of objects that came and went.
    counts: [u64; 2],
    result: c_int,
}

/// See the head of the file.
///
/// # Safety
/// As for the C library's function.
pub unsafe fn iterate(visit: Visit, data: *mut c_void) -> c_int {
    if !image::all().any(|image| image.reserved_memory().is_some()) {
        // SAFETY: the caller's promise.
        return unsafe { loaded::iterate_for_program(visit, data) };
    }
    names::ask();
    let mut request = Request { visit, data, added: names::region_counts(), counts: [0; 2], result: 0 };
    // SAFETY: `inside` gets the request that it expects.
    unsafe { loaded::iterate_for_program(inside, (&raw mut request).cast()) };
    request.result
}

/// Called for the first object, with the loader's lock held (which a thread can take again): does all the work.
unsafe extern "C" fn inside(_: *mut dl_phdr_info, _: usize, request: *mut c_void) -> c_int {
    // SAFETY: `iterate` passes its request, which nothing else uses meanwhile; and the caller's promise.
    unsafe {
        let data = request;
        let request = request.cast::<Request>();
        loaded::iterate_for_program(loaders, data);
        if (*request).result == 0 {
            (*request).result = ours(&mut *request);
        }
    }
    1
}

/// Passes on an object of the loader's. What others remember of the list they compare with these counts.
unsafe extern "C" fn loaders(info: *mut dl_phdr_info, size: usize, request: *mut c_void) -> c_int {
    // SAFETY: as in `inside`; the loader describes an object.
    unsafe {
        let request = &mut *request.cast::<Request>();
        if size < size_of::<dl_phdr_info>() {
            return (request.visit)(info, size, request.data);
        }
        let mut copy = info.read();
        request.counts = [copy.dlpi_adds, copy.dlpi_subs];
        copy.dlpi_adds += request.added[0];
        copy.dlpi_subs += request.added[1];
        // A later C library may have more fields, which would not be in a copy.
        if size == size_of::<dl_phdr_info>() {
            request.result = (request.visit)(&raw mut copy, size, request.data);
        } else {
            request.result = (request.visit)(info, size, request.data);
        }
        request.result
    }
}

/// Passes on compiled code.
///
/// # Safety
/// That of the visitor.
unsafe fn ours(request: &mut Request) -> c_int {
    for region in names::regions() {
        // SAFETY: the caller's.
        let result = unsafe { pass(request, region.file(), &region.headers) };
        if result != 0 {
            return result;
        }
    }
    for (file, header) in names::slices() {
        // SAFETY: the caller's.
        let result = unsafe { pass(request, file, std::slice::from_ref(header)) };
        if result != 0 {
            return result;
        }
    }
    0
}

/// Passes on one object.
///
/// # Safety
/// That of the visitor.
unsafe fn pass(request: &Request, file: &'static CStr, headers: &'static [ProgramHeader]) -> c_int {
    let mut info = dl_phdr_info {
        dlpi_addr: describe::BASE as u64,
        dlpi_name: file.as_ptr(),
        dlpi_phdr: headers.as_ptr().cast(),
        dlpi_phnum: headers.len() as u16,
        dlpi_adds: request.counts[0] + request.added[0],
        dlpi_subs: request.counts[1] + request.added[1],
        dlpi_tls_modid: 0,
        dlpi_tls_data: ptr::null_mut(),
    };
    // SAFETY: the caller's; the description lives for ever.
    unsafe { (request.visit)(&raw mut info, size_of::<dl_phdr_info>(), request.data) }
}
