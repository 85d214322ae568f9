//! Copies of the process that help it for a while, unseen: a debugger does not follow them, and the process's own wait(2)
//! does not find them.

use std::time::Duration;

use crate::{BlockedSignals, Errno, File, exit, syscall};

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
        let work = || {
            // Or it would outlive a process that is killed.
            // SAFETY: no memory is involved.
            let _ = unsafe {
                let signal = libc::SIGKILL as usize;
                syscall(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, signal, 0, 0, 0, 0])
            };
            work();
        };
        // SAFETY: the caller's promise.
        unsafe { copy(work) }.map(Self)
    }

    /// Runs `work` in a copy of the process, with this thread alone, that stays when the process ends: with signals blocked, in
    /// a session of its own, at idle priority, and without any file of the process's.
    ///
    /// # Errors
    /// Those of clone(2).
    ///
    /// # Safety
    /// As for [`start`](Self::start).
    pub unsafe fn leave_behind(work: impl FnOnce()) -> Result<(), Errno> {
        // SAFETY: the caller's promise.
        unsafe {
            copy(|| {
                if detach().is_ok() {
                    work()
                }
            })
        }
        .map(drop)
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

/// Runs `work` in a copy of the process, whose number is returned, with signals blocked. A debugger does not follow it, which
/// would stop, or say that it let go; no signal tells of its end.
///
/// # Safety
/// See [`Helper::start`].
unsafe fn copy(work: impl FnOnce()) -> Result<usize, Errno> {
    let blocked = BlockedSignals::new();
    let flags = libc::CLONE_UNTRACED as usize;
    // SAFETY: as fork(2), which shares no memory; the other process leaves through `exit`.
    let id = unsafe { syscall(libc::SYS_clone, [flags, 0, 0, 0, 0, 0]) }?;
    if id == 0 {
        work();
        exit(0)
    }
    drop(blocked);
    Ok(id)
}

/// Leaves everything that this process, a fresh copy, has in common with the one that it is of: the session, the directory,
/// files. What is written to the standard descriptors goes nowhere.
fn detach() -> Result<(), Errno> {
    let lowest = libc::sched_param { sched_priority: 0 };
    // SAFETY: only the last two take a pointer, to a path that ends with NUL and to parameters. No file of this
    // copy's is in use.
    unsafe {
        syscall(libc::SYS_setsid, [0; 6])?;
        syscall(libc::SYS_close_range, [0, u32::MAX as usize, 0, 0, 0, 0])?;
        syscall(libc::SYS_chdir, [c"/".as_ptr() as usize, 0, 0, 0, 0, 0])?;
        let parameters = [0, libc::SCHED_IDLE as usize, (&raw const lowest) as usize, 0, 0, 0];
        syscall(libc::SYS_sched_setscheduler, parameters)?;
    }
    for descriptor in 0..=2 {
        let null = File::open(c"/dev/null", libc::O_RDWR, 0)?;
        if null.descriptor() != descriptor {
            return Err(Errno(libc::EBADF));
        }
        std::mem::forget(null);
    }
    Ok(())
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

    #[test]
    fn what_is_left_behind_has_nothing_of_the_process() {
        let page = crate::map_shared_pages(4096).unwrap();
        // SAFETY: a fresh page, which stays.
        let words = [0, 4, 8].map(|at| unsafe { AtomicU32::from_ptr(page.byte_add(at).cast()) });
        let file = File::open(c"/dev/zero", libc::O_RDONLY, 0).unwrap().duplicate_above(100).unwrap();
        let descriptor = file.descriptor();
        // SAFETY: it takes no locks.
        let left = unsafe {
            Helper::leave_behind(|| {
                words[1].store(u32::from(File::identity_of(descriptor).is_none()), SeqCst);
                words[2].store(u32::from(File::identity_of(1) == File::identity_of(2)), SeqCst);
                words[0].store(1, SeqCst);
            })
        };
        left.unwrap();
        while words[0].load(SeqCst) == 0 {
            sleep_for(Duration::from_millis(1));
        }
        assert_eq!(words.map(|word| word.load(SeqCst)), [1; 3]);
        assert!(File::identity_of(descriptor).is_some());
    }
}
