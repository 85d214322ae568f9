//! x86-64: symbols that are defined in assembly, and instructions that Rust has functions for.

use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

#[cfg(not(test))]
mod no_unwinder;

/// Begins to read what is at an address, which may be anything.
pub fn prefetch(address: usize) {
    // SAFETY: prefetching never faults (SDM vol. 2, PREFETCHh).
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address as *const i8) };
}
