//! Counters of compiled code: how often a function was entered, and how often each of its loops went round, until they run
//! out.
//!
//! Code that counts does so at places where r11 and the flags are free:
//!
//! ```text
//!     dec  dword ptr [counter]
//!     js   out
//! on:
//!     …
//! out:
//!     lea  r11, [counter]
//!     call [r11 + 8]
//! ```
//!
//! The call keeps every register but r11, in which it leaves what [`TrippedFn`] returns. Threads count without regard to
//! one another: what is lost does not matter.
//!
//! The counters of a function lie next to one another, behind a [head](Counters). That of entries is the first one. It is
//! counted before anything else is done, so what its call leaves in r11 may be jumped to: newer code of the function.

use std::arch::naked_asm;
use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

/// What is called when a counter has run out. It must not unwind. It returns 0, or the address of code that the caller, which
/// must know of it, is to go on with.
pub type TrippedFn = unsafe extern "C" fn(counter: *const Counter) -> usize;

/// A counter, where the code that uses it expects its fields.
#[repr(C)]
#[derive(Debug)]
pub struct Counter {
    /// What is left; below zero, each further count calls.
    left: AtomicI32,
    /// Its number among those of its function.
    number: u32,
    /// [`counter_address`](crate::entry::counter_address), or what takes its place.
    call: AtomicUsize,
}

const _: () = assert!(offset_of!(Counter, left) == 0);
const _: () = assert!(offset_of!(Counter, call) == 8);

impl Counter {
    /// One of this number that runs out after `left`, and then calls what is at the address `call`.
    pub const fn new(left: i32, number: u32, call: usize) -> Self {
        Self { left: AtomicI32::new(left), number, call: AtomicUsize::new(call) }
    }

    /// Its number: 0 for entries.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Has it count `left` from the beginning.
    pub fn restart(&self, left: i32) {
        self.left.store(left, Ordering::Relaxed);
    }

    /// Nothing comes of it any more: it runs out as seldom as can be, and what it calls returns at once.
    pub fn retire(&self) {
        self.call.store(go_on as *const () as usize, Ordering::SeqCst);
        self.left.store(i32::MAX, Ordering::SeqCst);
    }
}

/// What lies in front of the counters of a function: the code knows where each counter is, and nothing else of it.
#[repr(C)]
#[derive(Debug)]
pub struct Counters {
    /// What the owner of the code knows it by.
    owner: usize,
    /// Newer code of the function; 0 if there is none.
    newer: AtomicUsize,
    /// That of entries; those of loops follow.
    entries: Counter,
}

const _: () = assert!(offset_of!(Counters, entries) == Counters::HEAD);

impl Counters {
    /// Bytes in front of the first counter.
    pub const HEAD: usize = 16;
    /// Bytes of a counter.
    pub const SIZE: usize = size_of::<Counter>();

    /// The bytes of a head and of counters with these numbers left, which call what is at the address `call`.
    pub fn bytes(owner: usize, left: &[i32], call: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::HEAD + left.len() * Self::SIZE);
        bytes.extend_from_slice(&owner.to_le_bytes());
        bytes.extend_from_slice(&0_usize.to_le_bytes());
        for (left, number) in left.iter().zip(0_u32..) {
            bytes.extend_from_slice(&left.to_le_bytes());
            bytes.extend_from_slice(&number.to_le_bytes());
            bytes.extend_from_slice(&call.to_le_bytes());
        }
        bytes
    }

    /// Those that a counter is one of.
    ///
    /// # Safety
    /// The counter is one of [`bytes`](Self::bytes), in memory that is aligned for it and stays.
    pub unsafe fn of<'a>(counter: *const Counter) -> &'a Self {
        // SAFETY: the caller's promise: so many counters and the head are in front of it.
        unsafe { &*counter.sub((*counter).number as usize).byte_sub(Self::HEAD).cast::<Self>() }
    }

    /// What the owner of the code knows it by.
    pub fn owner(&self) -> usize {
        self.owner
    }

    /// That of entries.
    pub fn entries(&self) -> &Counter {
        &self.entries
    }

    /// Has each entry go on in newer code: calls may lead to the older one for ever.
    pub fn forward(&self, newer: usize) {
        // In this order: what finds the call finds the address.
        self.newer.store(newer, Ordering::SeqCst);
        self.entries.call.store(go_on_in_newer as *const () as usize, Ordering::SeqCst);
        self.entries.left.store(0, Ordering::SeqCst);
    }
}

/// What the counter of entries calls once there is newer code.
#[unsafe(naked)]
extern "C" fn go_on_in_newer() {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        // The next entry comes here as well.
        "mov dword ptr [r11], 0",
        "mov r11, [r11 - {back}]",
        "ret",
        ".cfi_endproc",
        back = const offset_of!(Counters, entries) - offset_of!(Counters, newer),
    );
}

/// What a counter calls of which nothing comes.
#[unsafe(naked)]
extern "C" fn go_on() {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "mov dword ptr [r11], {most}",
        "xor r11d, r11d",
        "ret",
        ".cfi_endproc",
        most = const i32::MAX,
    );
}
