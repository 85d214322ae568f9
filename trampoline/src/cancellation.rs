//! Thread cancellation, which is the C library's own affair: there is no system call for it.
//!
//! Receives the C library's functions once; disables and restores for the calling thread.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Every signal but SIGCANCEL (32), by which the C library cancels threads: its handler, which is not the program's,
/// does nothing but note the cancellation while it is disabled, and the library waits for the note. SIGSETXID is
/// included, which `pthread_sigmask` would leave out.
const ALL_SIGNALS: u64 = !(1 << (32 - 1));

/// The C library's `pthread_setcancelstate` and `pthread_setcanceltype`.
pub type SetCancellation = unsafe extern "C" fn(i32, *mut i32) -> i32;

/// The C library's `poll`, for no file and no time: a cancellation point that does nothing.
pub type Poll = unsafe extern "C" fn(*mut c_void, u64, i32) -> i32;

/// The addresses of all; 0 until [`set_functions`]. Not references: a program may define functions of these
/// names, lazily perhaps.
static SET_STATE: AtomicUsize = AtomicUsize::new(0);
static SET_KIND: AtomicUsize = AtomicUsize::new(0);
static POLL: AtomicUsize = AtomicUsize::new(0);

/// Names the functions by which [`Cancellation`] works. Without them nothing that can be cancelled may be called: then
/// signals alone are blocked ([`Cancellation::signals`]).
pub fn set_functions(state: SetCancellation, kind: SetCancellation, poll: Option<Poll>) {
    POLL.store(poll.map_or(0, |poll| poll as usize), Ordering::Relaxed);
    SET_KIND.store(kind as usize, Ordering::Relaxed);
    SET_STATE.store(state as usize, Ordering::Release);
}

/// A thread's readiness to be cancelled, as it was.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Cancellation {
    state: i32,
    kind: i32,
    known: bool,
}

impl Cancellation {
    fn functions() -> Option<[SetCancellation; 2]> {
        let state = SET_STATE.load(Ordering::Acquire);
        let kind = SET_KIND.load(Ordering::Relaxed);
        if state == 0 {
            return None;
        }
        // SAFETY: both were stored as functions of this type, the kind before the state.
        Some([state, kind].map(|address| unsafe { std::mem::transmute::<usize, SetCancellation>(address) }))
    }

    /// Disables it for the calling thread.
    pub fn disable() -> Self {
        // glibc's PTHREAD_CANCEL_DISABLE and PTHREAD_CANCEL_DEFERRED.
        let (disabled, deferred) = (1, 0);
        let mut before = Self { state: 0, kind: 0, known: false };
        if let Some([set_state, set_kind]) = Self::functions() {
            before.known = true;
            // SAFETY: both work on the calling thread's descriptor only. There is no system call for it.
            unsafe {
                set_state(disabled, &mut before.state);
                set_kind(deferred, &mut before.kind);
            }
        }
        before
    }

    /// Waits for a cancellation that another thread has begun, and not ended, before it was disabled: its signal is on the way.
    /// That may end the thread here, where nothing is lost. Up to 2.40, glibc's handler asks for the kind alone, not for the
    /// state (nptl/pthread_cancel.c), so the signal would end the thread in the next cancellation point, as LLVM has some. A
    /// cancellation point that returns has waited for it. SIGCANCEL must not be blocked.
    pub fn settle(&self) {
        const ASYNCHRONOUS: i32 = 1;
        let poll = POLL.load(Ordering::Relaxed);
        // Others are sent no signal.
        if self.known && self.kind == ASYNCHRONOUS && poll != 0 {
            // SAFETY: stored as a function of this type; it looks at no file and returns at once.
            unsafe { std::mem::transmute::<usize, Poll>(poll)(std::ptr::null_mut(), 0, 0) };
        }
    }

    /// The signals to block meanwhile.
    pub fn signals(&self) -> u64 {
        if self.known { ALL_SIGNALS } else { u64::MAX }
    }

    /// Makes it what it was. An asynchronous cancellation that has come meanwhile ends the thread here: in the second
    /// call, since glibc 2.36 would lose the thread's result in the first.
    pub fn restore(self) {
        let null = std::ptr::null_mut();
        if let Some([set_state, set_kind]) = Self::functions().filter(|_| self.known) {
            // SAFETY: as above; null says that the old values are not wanted.
            unsafe {
                set_state(self.state, null);
                set_kind(self.kind, null);
            }
        }
    }
}
