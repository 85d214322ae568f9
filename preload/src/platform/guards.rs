//! What the program must not notice of the runtime's work in one of its threads.

use std::ffi::c_int;

use autojit_trampoline::cancellation::Cancellation;

use crate::platform::c_library;
use crate::sys::BlockedSignals;

/// Until drop, errno is the runtime's; then it is what it was. The trampoline sees to the rest. Where the runtime has no
/// way to errno, it calls nothing that changes it.
#[derive(Debug)]
pub struct ErrnoGuard {
    errno: c_int,
}

impl ErrnoGuard {
    /// For the calling thread.
    pub fn new() -> Self {
        // SAFETY: the calling thread's errno.
        Self { errno: c_library::errno().map_or(0, |errno| unsafe { *errno }) }
    }
}

impl Drop for ErrnoGuard {
    fn drop(&mut self) {
        if let Some(errno) = c_library::errno() {
            // SAFETY: as above.
            unsafe { *errno = self.errno }
        }
    }
}

/// Until drop, the thread cannot be cancelled.
#[derive(Debug)]
struct NotCancelled(Cancellation);

impl Drop for NotCancelled {
    fn drop(&mut self) {
        self.0.restore();
    }
}

/// For work that does not come through the trampoline: errno, cancellation, and no signal handler runs either.
#[derive(Debug)]
pub struct SignalGuard {
    // In this order: a handler that runs at once must find errno as it was.
    _errno: ErrnoGuard,
    _not_cancelled: NotCancelled,
    _signals: BlockedSignals,
}

impl SignalGuard {
    /// For the calling thread.
    pub fn new() -> Self {
        let signals = BlockedSignals::new();
        Self {
            _errno: ErrnoGuard::new(),
            _not_cancelled: NotCancelled(Cancellation::disable()),
            _signals: signals,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::set_signal_mask;

    const PTHREAD_CANCEL_DISABLE: c_int = 1;

    fn cancel_state() -> c_int {
        unsafe extern "C" {
            fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
        }
        let mut state = 0;
        // SAFETY: works on the calling thread only.
        unsafe {
            pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut state);
            pthread_setcancelstate(state, std::ptr::null_mut());
        }
        state
    }

    #[test]
    fn errno_cancellation_and_signals_are_kept() {
        c_library::find();
        // SAFETY: this thread's errno.
        let errno = unsafe { &mut *libc::__errno_location() };
        *errno = 77;
        let mask = set_signal_mask(0);
        {
            let _uninterrupted = SignalGuard::new();
            *errno = 1;
            assert_eq!(cancel_state(), PTHREAD_CANCEL_DISABLE);
            assert_ne!(set_signal_mask(u64::MAX), 0);
        }
        assert_eq!(*errno, 77);
        assert_eq!(cancel_state(), 0);
        assert_eq!(set_signal_mask(mask), 0);
    }
}
