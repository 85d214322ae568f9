//! Signals as something to wait for: SIGTERM, SIGINT and SIGHUP end the daemon in good order.

use std::os::fd::{FromRawFd, OwnedFd};

use autojit_sys::File;

/// The signals that have come.
#[derive(Debug)]
pub struct Signals(File);

impl Signals {
    /// From now on they come here.
    ///
    /// # Errors
    /// The system has no room for it.
    pub fn new() -> std::io::Result<Self> {
        // SAFETY: the set is initialised before it is used; the descriptor is fresh.
        unsafe {
            let mut set = std::mem::MaybeUninit::uninit();
            libc::sigemptyset(set.as_mut_ptr());
            for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP] {
                libc::sigaddset(set.as_mut_ptr(), signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut());
            // A client that is gone shows as an error.
            libc::signal(libc::SIGPIPE, libc::SIG_IGN);
            match libc::signalfd(-1, set.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
                -1 => Err(std::io::Error::last_os_error()),
                descriptor => Ok(Self(OwnedFd::from_raw_fd(descriptor).into())),
            }
        }
    }

    /// The descriptor to wait for.
    pub fn descriptor(&self) -> i32 {
        self.0.descriptor()
    }

    /// Whether one has come.
    pub fn read(&self) -> bool {
        let mut information = [0; size_of::<libc::signalfd_siginfo>()];
        self.0.read(&mut information).is_ok_and(|count| count != 0)
    }
}
