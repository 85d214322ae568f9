//! A version of a function's code: where it is, and the calls that are to lead to it.
//!
//! A function has one version that is called, which is not there before the function is ready, and may be replaced later:
//! code that is running goes on. What is known of the version alone lies here, what holds for all of them (address, slot, the compiler) in [`Function`](crate::program::function::Function).
//! Its range, its frames and its name are those of the table of unwinders at its first byte.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::SeqCst};

use autojit_code::{CodeMemory, patch_call};

use crate::settings::{options, stats};

/// Code of a function, or room for it.
#[derive(Debug)]
pub struct Version {
    /// First byte of the code; 0 as long as there is none.
    start: AtomicUsize,
    /// Calls to be rewritten once there is, or is other code.
    callers: AtomicPtr<PendingCall>,
}

/// A call in code of ours that goes through a stub, or to code that may be replaced.
#[derive(Debug)]
struct PendingCall {
    /// The memory that the call lies in.
    memory: &'static CodeMemory,
    /// The opcode's address.
    site: usize,
    /// Where it leads now.
    to: usize,
    next: *mut PendingCall,
}

impl Version {
    /// Without code.
    pub const fn new() -> Self {
        Self { start: AtomicUsize::new(0), callers: AtomicPtr::new(ptr::null_mut()) }
    }

    /// The first byte of its code, if there is any.
    pub fn start(&self) -> Option<usize> {
        Some(self.start.load(SeqCst)).filter(|start| *start != 0)
    }

    /// Gives it its code, or other code, to which nothing leads yet.
    pub fn set_start(&self, start: usize) {
        self.start.store(start, SeqCst);
    }

    /// Notes that the call at `site` in `memory` leads to `to`, and is to be rewritten.
    pub fn add_caller(&self, memory: &'static CodeMemory, site: usize, to: usize) {
        self.add(Box::new(PendingCall { memory, site, to, next: ptr::null_mut() }));
    }

    fn add(&self, call: Box<PendingCall>) {
        let call = Box::into_raw(call);
        let mut head = self.callers.load(SeqCst);
        loop {
            // SAFETY: no other thread knows the new entry yet.
            unsafe { (*call).next = head };
            match self.callers.compare_exchange_weak(head, call, SeqCst, SeqCst) {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
    }

    /// Makes the calls that wait for its code, which is there, direct ones. Those are remembered unless it is the `last`.
    pub fn rewrite_callers(&self, last: bool) {
        loop {
            // Most often nothing waits. What adds a call after this look finds the function ready.
            if self.callers.load(SeqCst).is_null() {
                return;
            }
            let code = self.start.load(SeqCst);
            // The list is taken as a whole, so no entry can come back while it is walked (no ABA).
            let mut next = self.callers.swap(ptr::null_mut(), SeqCst);
            while !next.is_null() {
                // SAFETY: entries come from Box::into_raw, and the swap made the list this thread's.
                let mut call = unsafe { Box::from_raw(next) };
                next = call.next;
                if call.to != code && rewrite_call(call.memory, call.site, call.to, code) {
                    call.to = code;
                }
                if !last {
                    self.add(call);
                }
            }
            // A thread that has replaced the code meanwhile may have found the list empty.
            if last || self.start.load(SeqCst) == code {
                return;
            }
        }
    }
}

/// Makes the call at `site`, which leads to `from`, one to `code`, if it can and may be. Whether it was.
pub fn rewrite_call(memory: &CodeMemory, site: usize, from: usize, code: usize) -> bool {
    let rewritten = !options::calls_pass_stubs() && patch_call(memory, site, from, code);
    if rewritten {
        stats::COUNTERS.callsites_rewritten.add(1);
    }
    rewritten
}
