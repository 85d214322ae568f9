//! A runtime as small as can be, built as a cdylib with `panic = "abort"` like the real one: tests/cdylib.rs.
//!
//! It answers first calls from the array `bodies` that the program exports. With TINY_RUNTIME set, the resolver calls
//! the program's function of that name first, which may try to unwind out of it.

use autojit_trampoline::contract::{ImageRecord, Slot};
use autojit_trampoline::entry::{self, Frame};
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::Ordering;

autojit_trampoline::define_memory_functions!();
autojit_trampoline::define_hidden!("__tls_get_addr", autojit_trampoline::tls::get_address);

thread_local! {
    static FIRST: Cell<u64> = const { Cell::new(0x1122_3344_5566) };
    static SECOND: Cell<u64> = const { Cell::new(7) };
}

/// The library's own thread-local variables are where the loader has put their first values.
fn check_thread_locals() {
    let before = (FIRST.get(), SECOND.get());
    assert!(before.0 == 0x1122_3344_5566 && before.1 >= 7, "{before:x?}");
    SECOND.set(before.1 + 1);
    // SAFETY: the calling thread's variable.
    unsafe { *autojit_trampoline::tls::errno() = 9 };
    assert_eq!((FIRST.get(), SECOND.get()), (before.0, before.1 + 1));
}

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
    check_thread_locals();
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
    entry::install(resolve, entry::Processor::ask());
    // SAFETY: as the caller promises.
    unsafe { (*(*record).entry_pointer()).store(entry::address(), Ordering::Release) };
}
