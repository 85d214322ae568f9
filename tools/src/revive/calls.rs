//! Which system calls a process does that is made of a core file: it may have memory, and read stored bitcode. Everything else
//! has no effect.

use std::path::Path;

use autojit_store::Container;

use crate::ptrace::string;

/// How much memory it may ask for.
const MEMORY: u64 = 4 << 30;

/// What becomes of a call.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Done,
    /// It is not, and this is its result.
    Answered(i64),
    /// It would wait for another thread, and there is none.
    Waits,
}

/// What the process may still do.
#[derive(Debug)]
pub struct Calls {
    memory: u64,
}

/// The result of a call that fails.
fn failed(error: i32) -> Verdict {
    Verdict::Answered(-i64::from(error))
}

impl Default for Calls {
    fn default() -> Self {
        Self { memory: MEMORY }
    }
}

impl Calls {
    /// What becomes of a call. `process` is where its arguments lie.
    pub fn judge(&mut self, process: i32, number: i64, arguments: [u64; 6]) -> Verdict {
        match number {
            libc::SYS_mmap => self.grant(arguments[1]),
            libc::SYS_mremap => self.grant(arguments[2]),
            libc::SYS_munmap
            | libc::SYS_mprotect
            | libc::SYS_read
            | libc::SYS_pread64
            | libc::SYS_fstat
            | libc::SYS_close => Verdict::Done,
            // Most advice changes nothing, but a superuser's can harm the machine.
            libc::SYS_madvise if arguments[2] as i32 == libc::MADV_DONTNEED => Verdict::Done,
            libc::SYS_madvise => Verdict::Answered(0),
            libc::SYS_open => look(string(process, arguments[0]).as_deref().map(Path::new), arguments[1]),
            libc::SYS_openat => look(string(process, arguments[1]).as_deref().map(Path::new), arguments[2]),
            // No signal comes here, and no other thread.
            libc::SYS_rt_sigprocmask => Verdict::Answered(0),
            libc::SYS_futex => match arguments[1] as i32 & libc::FUTEX_CMD_MASK {
                libc::FUTEX_WAKE => Verdict::Answered(0),
                _ => Verdict::Waits,
            },
            _ => failed(libc::EPERM),
        }
    }

    /// Grants so much memory.
    fn grant(&mut self, len: u64) -> Verdict {
        match self.memory.checked_sub(len) {
            Some(rest) => {
                self.memory = rest;
                Verdict::Done
            }
            None => failed(libc::ENOMEM),
        }
    }
}

/// Lets a file be read that is stored bitcode. Others it does not need; a device may do something when it is opened.
fn look(path: Option<&Path>, flags: u64) -> Verdict {
    let reads = flags & !((libc::O_CLOEXEC | libc::O_LARGEFILE) as u64) == libc::O_RDONLY as u64;
    let is_stored = |path: &Path| {
        let is_file = path.metadata().is_ok_and(|status| status.is_file());
        is_file && std::fs::read(path).is_ok_and(|bytes| Container::open(&bytes).is_ok())
    };
    if reads && path.is_some_and(is_stored) { Verdict::Done } else { failed(libc::ENOENT) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_an_effect_is_not_done() {
        let mut calls = Calls::default();
        let own = std::process::id().cast_signed();
        let mut judged = |number, first: u64, second: u64, third: u64| {
            calls.judge(own, number, [first, second, third, 0, 0, 0])
        };
        assert_eq!(judged(libc::SYS_mmap, 0, 1 << 20, 0), Verdict::Done);
        assert_eq!(judged(libc::SYS_mmap, 0, MEMORY, 0), failed(libc::ENOMEM));
        assert_eq!(judged(libc::SYS_madvise, 0, 4096, libc::MADV_HWPOISON as u64), Verdict::Answered(0));
        assert_eq!(judged(libc::SYS_write, 1, 0, 0), failed(libc::EPERM));
        assert_eq!(judged(libc::SYS_clone, 0, 0, 0), failed(libc::EPERM));
        assert_eq!(judged(libc::SYS_execve, 0, 0, 0), failed(libc::EPERM));
        assert_eq!(judged(libc::SYS_futex, 0, libc::FUTEX_WAIT as u64, 0), Verdict::Waits);
        assert_eq!(
            judged(libc::SYS_futex, 0, (libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG) as u64, 0),
            Verdict::Answered(0)
        );
        // No container, no file, and no right to write.
        for (path, flags) in
            [(c"/etc/passwd", libc::O_RDONLY), (c"/dev/null", libc::O_RDONLY), (c"/tmp/x", libc::O_RDWR)]
        {
            assert_eq!(judged(libc::SYS_open, path.as_ptr() as u64, flags as u64, 0), failed(libc::ENOENT));
        }
    }
}
