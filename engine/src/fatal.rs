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
    end(unsafe { CStr::from_ptr(reason) }.to_bytes())
}

/// Before LLVM's own constructors, which allocate: mimalloc's operator new ends the process without a word.
#[used]
#[unsafe(link_section = ".init_array.00101")]
static ON_NO_MEMORY: extern "C" fn() = {
    extern "C" fn install() {
        shim::on_no_memory(no_memory);
    }
    install
};

/// What operator new calls where there is no memory.
extern "C" fn no_memory() {
    end(b"out of memory")
}

/// Says why, in one piece and without allocating, and ends the process.
fn end(reason: &[u8]) -> ! {
    let parts: &[&[u8]] = match CURRENT.get() {
        Some((function, source)) => {
            // SAFETY: the strings live as long as the `Compiling` that put them there and takes them away.
            let (function, source) = unsafe { ((*function).as_bytes(), (*source).as_bytes()) };
            &[
                b"autojit: LLVM cannot compile ",
                function,
                b" of ",
                source,
                b", or a function that it calls: ",
                reason,
                b"\n",
            ]
        }
        None => &[b"autojit: LLVM failed: ", reason, b"\n"],
    };
    let parts: [libc::iovec; 7] = std::array::from_fn(|at| {
        let part = parts.get(at).copied().unwrap_or(b"");
        libc::iovec { iov_base: part.as_ptr().cast_mut().cast(), iov_len: part.len() }
    });
    // SAFETY: the parts are readable. abort has no preconditions.
    unsafe {
        libc::writev(2, parts.as_ptr(), parts.len() as i32);
        libc::abort()
    }
}
