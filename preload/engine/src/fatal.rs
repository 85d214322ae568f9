//! LLVM's fatal errors: what it reports by `report_fatal_error` (an instruction that it cannot select, say) and from
//! which it cannot return. The process ends with SIGABRT, after one line that names what was being compiled.
//!
//! Ordinary errors (damaged bitcode, inline assembly that does not assemble) come back as messages instead.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};

use crate::shim;

thread_local! {
    // No destructor, so that it needs no registration at thread exit.
    static CURRENT: Cell<Option<(*const str, *const str)>> = const { Cell::new(None) };
}

/// Says what this thread compiles, while it lives.
pub struct Compiling<'a>(std::marker::PhantomData<&'a str>);

impl<'a> Compiling<'a> {
    /// This thread compiles `function` of the source file `source`.
    pub fn new(function: &'a str, source: &'a str) -> Self {
        CURRENT.set(Some((function, source)));
        Self(std::marker::PhantomData)
    }
}

impl Drop for Compiling<'_> {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

/// Makes LLVM report here.
pub fn install() {
    shim::on_fatal(report);
}

extern "C" fn report(_: *mut c_void, reason: *const c_char, _: bool) {
    // SAFETY: LLVM hands over a C string.
    let reason = unsafe { CStr::from_ptr(reason) }.to_string_lossy();
    let line = match CURRENT.get() {
        Some((function, source)) => {
            // SAFETY: the strings live as long as the `Compiling` that put them there and takes them away.
            let (function, source) = unsafe { (&*function, &*source) };
            format!(
                "autojit: LLVM cannot compile {function} of {source}, or a function that it calls: {reason}\n"
            )
        }
        None => format!("autojit: LLVM failed: {reason}\n"),
    };
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        // SAFETY: the bytes of `rest` are readable.
        match unsafe { libc::write(2, rest.as_ptr().cast(), rest.len()) } {
            written @ 1.. => rest = &rest[written as usize..],
            _ => break,
        }
    }
    // SAFETY: abort has no preconditions.
    unsafe { libc::abort() }
}
