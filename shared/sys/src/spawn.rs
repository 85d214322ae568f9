//! Another program as a process of its own, which the calling process does not learn of: no signal, nothing to wait for.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::atomic::{AtomicI32, Ordering::SeqCst};

use crate::arch::clone_onto;
use crate::{BlockedSignals, Errno, File, SIGSET_SIZE, exit, map_pages, syscall, unmap_pages};

/// Bytes of the stack of each of the two new processes.
const STACK: usize = 64 << 10;

/// What the new processes find in the memory that they share with the one that makes them.
struct Start {
    program: *const c_char,
    arguments: Vec<*const c_char>,
    environment: Vec<*const c_char>,
    /// The descriptor that becomes standard input and output.
    socket: i32,
    /// Where the second stack ends.
    stack: *mut u8,
    /// The first error, 0 for none.
    error: AtomicI32,
}

/// Starts `program` with `socket` as standard input and output, nothing as standard error, no other descriptors, and
/// `environment` ("NAME=value"), in a session of its own, in the root directory.
///
/// It is a child of a child that ends at once and sends no signal: what adopts orphans is its parent, and the caller's
/// wait(2) never sees it.
///
/// # Errors
/// Those of clone(2) and execve(2).
pub fn spawn(
    program: &CStr,
    arguments: &[&CStr],
    environment: &[CString],
    socket: &File,
) -> Result<(), Errno> {
    let null = std::ptr::null();
    let stacks = map_pages(2 * STACK)?;
    let start = Start {
        program: program.as_ptr(),
        arguments: arguments.iter().map(|argument| argument.as_ptr()).chain([null]).collect(),
        environment: environment.iter().map(|variable| variable.as_ptr()).chain([null]).collect(),
        socket: socket.descriptor(),
        stack: stacks.wrapping_add(STACK),
        error: AtomicI32::new(0),
    };
    // Handlers of the program's must not run in a process that shares its memory.
    let _blocked = BlockedSignals::new();
    let argument = (&raw const start).cast_mut().cast();
    // SAFETY: the stack is fresh; the kernel stops this thread until the other process is done with `start`.
    let child = unsafe { clone_onto(stacks.wrapping_add(2 * STACK), between, argument) };
    let result = child.and_then(|child| {
        // A child without a signal is waited for like a thread's (wait(2)).
        let arguments = [child, 0, libc::__WCLONE as usize, 0, 0, 0];
        // SAFETY: a null pointer: the status is not wanted.
        while unsafe { syscall(libc::SYS_wait4, arguments) } == Err(Errno(libc::EINTR)) {}
        match start.error.load(SeqCst) {
            0 => Ok(()),
            error => Err(Errno(error)),
        }
    });
    // SAFETY: mapped above; both processes have left it.
    unsafe { unmap_pages(stacks as usize, 2 * STACK) };
    result
}

/// The process between: its child loses its parent.
unsafe extern "C" fn between(start: *mut c_void) -> ! {
    // SAFETY: spawn passes its `start`, and waits.
    unsafe {
        let Start { stack, error, .. } = &*start.cast::<Start>();
        if let Err(cause) = clone_onto(*stack, become_program, start) {
            error.store(cause.0, SeqCst);
        }
    }
    exit(0)
}

/// The process that becomes the program. Nothing here allocates.
unsafe extern "C" fn become_program(start: *mut c_void) -> ! {
    // SAFETY: spawn passes its `start`, and waits.
    let start = unsafe { &*start.cast::<Start>() };
    let call = |number, arguments| {
        // SAFETY: calls that change this process only, which shares memory, but neither descriptors nor handlers, with
        // the program; pointers are to structures that live while spawn waits.
        unsafe { syscall(number, arguments) }
    };
    let attempt = || {
        call(libc::SYS_setsid, [0; 6])?;
        let root = c"/".as_ptr() as usize;
        call(libc::SYS_chdir, [root, 0, 0, 0, 0, 0])?;
        // The program may have closed its standard streams: the socket is to be none of them while they are set.
        let socket = call(libc::SYS_fcntl, [start.socket as usize, libc::F_DUPFD as usize, 3, 0, 0, 0])?;
        let path = c"/dev/null".as_ptr() as usize;
        let nothing =
            call(libc::SYS_openat, [libc::AT_FDCWD as usize, path, libc::O_RDWR as usize, 0, 0, 0])?;
        let nothing = call(libc::SYS_fcntl, [nothing, libc::F_DUPFD as usize, 3, 0, 0, 0])?;
        for (from, to) in [(socket, 0), (socket, 1), (nothing, 2)] {
            call(libc::SYS_dup3, [from, to, 0, 0, 0, 0])?;
        }
        if call(libc::SYS_close_range, [3, u32::MAX as usize, 0, 0, 0, 0]).is_err() {
            // Before Linux 5.9.
            for descriptor in 3..crate::descriptor_limit().min(1 << 16) as usize {
                let _ = call(libc::SYS_close, [descriptor, 0, 0, 0, 0, 0]);
            }
        }
        for signal in 1..=64 {
            // A struct sigaction of zeroes is SIG_DFL. SIGKILL and SIGSTOP have nothing else.
            let default = [0_u64; 4];
            let arguments = [signal, (&raw const default) as usize, 0, SIGSET_SIZE, 0, 0];
            let _ = call(libc::SYS_rt_sigaction, arguments);
        }
        crate::set_signal_mask(0);
        let lists = [start.arguments.as_ptr() as usize, start.environment.as_ptr() as usize];
        call(libc::SYS_execve, [start.program as usize, lists[0], lists[1], 0, 0, 0])
    };
    if let Err(cause) = attempt() {
        start.error.store(cause.0, SeqCst);
    }
    exit(127)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::FromRawFd;

    use super::*;

    #[test]
    fn a_program_of_its_own() {
        let (here, there) = File::socket_pair().unwrap();
        // An inherited descriptor, an ignored signal, a blocked one: none of them is to be seen.
        let _open = std::fs::File::open("/dev/null").unwrap();
        // SAFETY: plain system calls.
        unsafe { libc::signal(libc::SIGUSR1, libc::SIG_IGN) };
        let before = crate::set_signal_mask(1 << (libc::SIGUSR2 - 1));
        // The shell blocks signals itself for a moment when it starts a program: it reads what it is, before any.
        let script = c"echo $A; pwd; echo /proc/$$/fd/*; \
            while read -r line; do case $line in Sig[BI]*) echo \"$line\";; esac; done </proc/$$/status; cat";
        let environment = [CString::new("A=7").unwrap()];
        spawn(c"/bin/sh", &[c"sh", c"-c", script], &environment, &there).unwrap();
        crate::set_signal_mask(before);
        drop(there);
        let descriptor = here.descriptor();
        std::mem::forget(here);
        // SAFETY: the descriptor was just given up.
        let mut stream = unsafe { std::os::unix::net::UnixStream::from_raw_fd(descriptor) };
        stream.set_nonblocking(false).unwrap();
        stream.write_all(b"end").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[..2], ["7", "/"], "{text}");
        let descriptors = lines[2].split(' ').map(|path| path.rsplit('/').next().unwrap());
        // The shell opens the directory to list it.
        assert!(descriptors.take(3).eq(["0", "1", "2"]) && lines[2].split(' ').count() <= 4, "{text}");
        assert_eq!(lines[3], "SigBlk:\t0000000000000000", "{text}");
        assert_eq!(lines[4], "SigIgn:\t0000000000000000", "{text}");
        assert_eq!(lines[5..], ["end"], "{text}");
    }

    #[test]
    fn what_cannot_be_executed_is_an_error() {
        let (_here, there) = File::socket_pair().unwrap();
        assert_eq!(spawn(c"/nowhere", &[c"nowhere"], &[], &there), Err(Errno(libc::ENOENT)));
        assert_eq!(spawn(c"/dev/null", &[c"null"], &[], &there), Err(Errno(libc::EACCES)));
    }
}
