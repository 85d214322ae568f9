//! Signals of the calling thread: masks, and the one that ends the process.

use crate::{Errno, exit, process_id, syscall, thread_id};

/// Size in bytes of the kernel's signal set, one bit for each of 64 signals.
pub(crate) const SIGSET_SIZE: usize = 8;

/// All signals blocked, those that the C library keeps for itself (cancellation, set*id) included, until drop.
#[derive(Debug)]
pub struct BlockedSignals {
    before: u64,
}

impl Default for BlockedSignals {
    fn default() -> Self {
        Self::new()
    }
}

impl BlockedSignals {
    /// Blocks them for the calling thread.
    pub fn new() -> Self {
        Self { before: set_signal_mask(u64::MAX) }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        set_signal_mask(self.before);
    }
}

/// Sets the thread's mask of blocked signals (bit n-1: signal n), and returns the one before.
pub fn set_signal_mask(mask: u64) -> u64 {
    let mut before = 0_u64;
    // SAFETY: both point to sets of SIGSET_SIZE bytes. The call cannot fail with valid arguments.
    let _ = unsafe {
        syscall(
            libc::SYS_rt_sigprocmask,
            [
                libc::SIG_SETMASK as usize,
                (&raw const mask) as usize,
                (&raw mut before) as usize,
                SIGSET_SIZE,
                0,
                0,
            ],
        )
    };
    before
}

/// `error`, as it is. If it says that a file would grow beyond RLIMIT_FSIZE, takes back the signal that the kernel has sent
/// this thread for that: the program has not written. It is blocked, as all are while the runtime works.
pub(crate) fn without_file_size_signal(error: Errno) -> Errno {
    if error != Errno(libc::EFBIG) {
        return error;
    }
    let set = 1_u64 << (libc::SIGXFSZ - 1);
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let arguments = [(&raw const set) as usize, 0, (&raw const at_once) as usize, SIGSET_SIZE, 0, 0];
    // SAFETY: the kernel reads both, and writes nothing.
    let _ = unsafe { syscall(libc::SYS_rt_sigtimedwait, arguments) };
    error
}

/// The kernel's struct sigaction.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// Ends the process with SIGABRT, as abort(3) does: a handler of the program's runs, but does not stop it.
pub fn abort() -> ! {
    raise_abort();
    abort_without_handlers()
}

/// Ends the process with SIGABRT.
pub fn abort_without_handlers() -> ! {
    let default = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    // SAFETY: the kernel reads the structure.
    let _ = unsafe {
        syscall(
            libc::SYS_rt_sigaction,
            [libc::SIGABRT as usize, (&raw const default) as usize, 0, SIGSET_SIZE, 0, 0],
        )
    };
    raise_abort();
    exit(127)
}

/// Sends the calling thread SIGABRT, the only signal that it lets in.
fn raise_abort() {
    set_signal_mask(!(1 << (libc::SIGABRT - 1)));
    let arguments = [process_id() as usize, thread_id() as usize, libc::SIGABRT as usize, 0, 0, 0];
    // SAFETY: no memory is involved.
    let _ = unsafe { syscall(libc::SYS_tgkill, arguments) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{File, write};

    #[test]
    fn signals_are_blocked_until_drop() {
        let before = set_signal_mask(0);
        {
            let _blocked = BlockedSignals::new();
            // The kernel never blocks SIGKILL and SIGSTOP.
            let unblockable = 1_u64 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
            assert_eq!(set_signal_mask(u64::MAX), !unblockable);
        }
        assert_eq!(set_signal_mask(before), 0);
    }

    /// Each ends the process when the signals are let in again, if that signal is still there.
    #[test]
    fn files_that_may_not_grow_are_errors_without_a_signal() {
        type Grow = fn(&File) -> Result<(), Errno>;
        let ways: [(&str, Grow); 4] = [
            ("write", |file| write(file.descriptor(), b"1")),
            ("write_at", |file| file.write_at(0, b"1")),
            ("set_size", |file| file.set_size(1)),
            ("allocate", |file| file.allocate(0, 1)),
        ];
        for (name, grow) in ways {
            let file = File::memory(c"growing").unwrap();
            // SAFETY: the child does nothing but system calls.
            let status = unsafe {
                let child = libc::fork();
                if child == 0 {
                    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
                    libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none);
                    libc::signal(libc::SIGXFSZ, libc::SIG_DFL);
                    let blocked = BlockedSignals::new();
                    let refused = grow(&file) == Err(Errno(libc::EFBIG));
                    drop(blocked);
                    exit(if refused { 3 } else { 4 });
                }
                let mut status = 0;
                libc::waitpid(child, &mut status, 0);
                status
            };
            assert!(libc::WIFEXITED(status), "{name}: signal {}", libc::WTERMSIG(status));
            assert_eq!(libc::WEXITSTATUS(status), 3, "{name}");
        }
    }

    #[test]
    fn abort_is_sigabrt() {
        // SAFETY: the child does nothing but system calls.
        let status = unsafe {
            let child = libc::fork();
            if child == 0 {
                let _blocked = BlockedSignals::new();
                abort();
            }
            let mut status = 0;
            libc::waitpid(child, &mut status, 0);
            status
        };
        assert_eq!(libc::WTERMSIG(status), libc::SIGABRT);
    }
}
