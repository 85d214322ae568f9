//! Copies of the process that help it for a while, unseen: a debugger does not follow them, and the process's own wait(2)
//! does not find them.

use std::time::Duration;

use crate::{BlockedSignals, Errno, exit, syscall};

/// A copy of the process. Killed and waited for on drop.
#[derive(Debug)]
pub struct Helper(usize);

impl Helper {
    /// Runs `work` in a copy of the process, with this thread alone, and with signals blocked.
    ///
    /// # Errors
    /// Those of clone(2).
    ///
    /// # Safety
    /// `work` must do without what other threads of the process may be using: locks, above all. It may have anything else
    /// that the process has, as it is now, and must not let others see that there are two.
    pub unsafe fn start(work: impl FnOnce()) -> Result<Self, Errno> {
        let blocked = BlockedSignals::new();
        // Untraced: a debugger would stop, or say that it let go. No signal at its end.
        let flags = libc::CLONE_UNTRACED as usize;
        // SAFETY: as fork(2), which shares no memory; the other process leaves through `exit`.
        let id = unsafe { syscall(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]) }?;
        if id == 0 {
            // Or it would outlive a process that is killed.
            // SAFETY: no memory is involved.
            let _ = unsafe {
                let signal = libc::SIGKILL as usize;
                syscall(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, signal, 0, 0, 0, 0])
            };
            work();
            exit(0)
        }
        drop(blocked);
        Ok(Self(id))
    }

    /// Whether it has not come to its end.
    pub fn is_running(&self) -> bool {
        let mut info = [0_u64; 16];
        let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
        let arguments = [libc::P_PID as usize, self.0, info.as_mut_ptr() as usize, options as usize, 0, 0];
        // SAFETY: the kernel writes a siginfo_t, of 128 bytes.
        let result = unsafe { syscall(libc::SYS_waitid, arguments) };
        // Its si_signo, SIGCHLD if there is something to tell.
        result.is_ok() && info[0] as u32 == 0
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // SAFETY: no memory is involved; the process is ours until it was waited for.
        let _ = unsafe { syscall(libc::SYS_kill, [self.0, libc::SIGKILL as usize, 0, 0, 0, 0]) };
        let arguments = [self.0, 0, libc::__WALL as usize, 0, 0, 0];
        // SAFETY: a null pointer: the status is not wanted.
        while unsafe { syscall(libc::SYS_wait4, arguments) } == Err(Errno(libc::EINTR)) {}
    }
}

/// Sleeps for so long, or less.
pub fn sleep_for(time: Duration) {
    let time = libc::timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    // SAFETY: the kernel reads a timespec.
    let _ = unsafe { syscall(libc::SYS_nanosleep, [(&raw const time) as usize, 0, 0, 0, 0, 0]) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    #[test]
    fn a_helper_works_and_goes() {
        let page = crate::map_shared_pages(4096).unwrap();
        // SAFETY: a fresh page, which stays.
        let word = unsafe { AtomicU32::from_ptr(page.cast()) };
        // SAFETY: it takes no locks.
        let helper = unsafe { Helper::start(|| word.store(7, SeqCst)) }.unwrap();
        while helper.is_running() {
            sleep_for(Duration::from_millis(1));
        }
        assert_eq!(word.load(SeqCst), 7);
        drop(helper);
        // SAFETY: as above.
        let idle = unsafe { Helper::start(|| sleep_for(Duration::from_secs(1000))) }.unwrap();
        assert!(idle.is_running());
    }
}
