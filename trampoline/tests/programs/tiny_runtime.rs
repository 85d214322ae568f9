//! A runtime as small as can be, built as a cdylib with `panic = "abort"` like the real one: tests/cdylib.rs.
//!
//! It answers first calls from the array `bodies` that the program exports. With TINY_RUNTIME set, the resolver calls
//! the program's function of that name first, which may try to unwind out of it.

use autojit_trampoline::contract::{ImageRecord, Slot};
use autojit_trampoline::entry::{self, Frame};
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::Ordering;

autojit_trampoline::define_memory_functions!();

unsafe extern "C" {
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
}

fn exported(name: &CStr) -> *mut c_void {
    // SAFETY: a null handle is RTLD_DEFAULT.
    let address = unsafe { dlsym(std::ptr::null_mut(), name.as_ptr()) };
    assert!(!address.is_null(), "{name:?}");
    address
}

unsafe extern "C" fn resolve(slot: *const Slot, _frame: &mut Frame) {
    if let Ok(name) = std::env::var("TINY_RUNTIME") {
        let function = exported(&CString::new(name).unwrap());
        // SAFETY: the test names a `void f(void)`.
        unsafe { std::mem::transmute::<*mut c_void, extern "C" fn()>(function)() };
    }
    let bodies = exported(c"bodies").cast::<usize>();
    // SAFETY: the trampoline passes a stub's slot; bodies has an entry for each function.
    unsafe { (*slot).target.store(*bodies.add((*slot).index as usize), Ordering::Release) };
}

/// # Safety
/// `record` must be an image's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __autojit_register(record: *const ImageRecord) {
    entry::install(resolve);
    // SAFETY: as the caller promises.
    unsafe { (*(*record).entry_cell()).store(entry::address(), Ordering::Release) };
}
