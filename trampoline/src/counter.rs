//! Counters of compiled code: how often a function was entered, and how often its loops went round, until they run out.
//!
//! Code that counts does, at a place where r11 and the flags are free:
//!
//! ```text
//!     sub  dword ptr [r11], weight
//!     jns  on
//!     call [r11 + 8]
//! on:
//! ```
//!
//! The call keeps every register but r11, in which it leaves what [`TrippedFn`] returns. Threads count without regard to
//! one another: what is lost does not matter.

use std::sync::atomic::{AtomicI32, Ordering};

/// What is called when a counter has run out, with where the call returns to. It must not unwind. It returns 0, or the address
/// of code that the caller, which must know of it, is to go on with.
pub type TrippedFn = unsafe extern "C" fn(counter: *const Counter, returns_to: *const u8) -> usize;

/// A counter, where the code that uses it expects its fields.
#[repr(C)]
#[derive(Debug)]
pub struct Counter {
    /// What is left; below zero, each further count calls.
    left: AtomicI32,
    /// [`counter_address`](crate::entry::counter_address).
    call: usize,
}

const _: () = assert!(std::mem::offset_of!(Counter, left) == 0);
const _: () = assert!(std::mem::offset_of!(Counter, call) == 8);

impl Counter {
    /// A counter that runs out after `left`, and then calls what is at the address `call`.
    pub const fn new(left: i32, call: usize) -> Self {
        Self { left: AtomicI32::new(left), call }
    }

    /// Has it count `left` from the beginning.
    pub fn restart(&self, left: i32) {
        self.left.store(left, Ordering::Relaxed);
    }
}
