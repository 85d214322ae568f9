//! What the program must not notice of the runtime's work in one of its threads.

use std::ffi::c_int;

use crate::sys::BlockedSignals;

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// glibc's PTHREAD_CANCEL_DISABLE (bits/pthreadtypes, pthread.h), which the libc crate does not have.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// Until drop, errno is the runtime's; then it is what it was. The trampoline sees to the rest.
#[derive(Debug)]
pub struct Undisturbed {
    errno: c_int,
}

impl Undisturbed {
    /// For the calling thread.
    pub fn new() -> Self {
        // SAFETY: the calling thread's errno.
        Self { errno: unsafe { *libc::__errno_location() } }
    }
}

impl Drop for Undisturbed {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = self.errno }
    }
}

/// Until drop, the thread cannot be cancelled.
#[derive(Debug)]
struct NotCancelled {
    state: c_int,
}

impl NotCancelled {
    fn new() -> Self {
        let mut state = 0;
        // SAFETY: works on the calling thread only.
        unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &mut state) };
        Self { state }
    }
}

impl Drop for NotCancelled {
    fn drop(&mut self) {
        // SAFETY: as above; a null pointer means that the old state is not wanted.
        unsafe { pthread_setcancelstate(self.state, std::ptr::null_mut()) };
    }
}

/// For work that does not come through the trampoline: errno, cancellation, and no signal handler runs either.
#[derive(Debug)]
pub struct Uninterrupted {
    // In this order: a handler that runs at once must find errno as it was.
    _undisturbed: Undisturbed,
    _not_cancelled: NotCancelled,
    _signals: BlockedSignals,
}

impl Uninterrupted {
    /// For the calling thread.
    pub fn new() -> Self {
        let signals = BlockedSignals::new();
        Self { _undisturbed: Undisturbed::new(), _not_cancelled: NotCancelled::new(), _signals: signals }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::set_signal_mask;

    fn cancel_state() -> c_int {
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
        // SAFETY: this thread's errno.
        let errno = unsafe { &mut *libc::__errno_location() };
        *errno = 77;
        let mask = set_signal_mask(0);
        {
            let _uninterrupted = Uninterrupted::new();
            *errno = 1;
            assert_eq!(cancel_state(), PTHREAD_CANCEL_DISABLE);
            assert_ne!(set_signal_mask(u64::MAX), 0);
        }
        assert_eq!(*errno, 77);
        assert_eq!(cancel_state(), 0);
        assert_eq!(set_signal_mask(mask), 0);
    }
}
