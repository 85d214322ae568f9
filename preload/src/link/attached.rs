//! Lines for a debugger that attaches to the process: the baseline compiler tells none when it publishes code, nor does the
//! cache, as most processes are never looked at (decisions/0046). A script has gdb call a function of the runtime for them
//! (scripts/gdb/autojit.py).
//!
//! Receives the question; hands on a file with lines, which the script reads out of the process's memory.

use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use autojit_code::describe;

use crate::link::names;
use crate::platform::guards::ErrnoGuard;

/// The answer, as the script reads it.
#[repr(C)]
#[derive(Debug)]
pub struct Answer {
    /// How many batches of code there are, for the next question.
    count: u64,
    /// What is added to the addresses in the file to have those in memory.
    base: u64,
    /// The file's bytes, and how many there are.
    bytes: *const u8,
    length: u64,
    _file: Vec<u8>,
}

/// The last one, which lives until the next.
static LAST: AtomicPtr<Answer> = AtomicPtr::new(std::ptr::null_mut());

/// Describes the code of the process to a debugger that knows `known` batches of it. Null if there are no others.
///
/// No thread may be in the runtime or the loader, whose locks it takes: the debugger has stopped them all.
pub fn describe(known: u64) -> *const Answer {
    let _errno = ErrnoGuard::new();
    let Some((count, file)) = names::for_debugger(known as usize) else { return std::ptr::null() };
    let (count, base) = (count as u64, describe::BASE as u64);
    let (bytes, length) = (file.as_ptr(), file.len() as u64);
    let answer = Box::into_raw(Box::new(Answer { count, base, bytes, length, _file: file }));
    let last = LAST.swap(answer, SeqCst);
    if !last.is_null() {
        // SAFETY: it was made as above, and the swap has left it to this call alone. The debugger is done with it.
        drop(unsafe { Box::from_raw(last) });
    }
    answer
}
