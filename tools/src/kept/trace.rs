//! Runs a compiler and takes down each path that it looks at, before it does: by ptrace, which a filter of system calls
//! (seccomp) limits to those that look paths up.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::mem::offset_of;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::manifest::Found;
use crate::process;
use crate::ptrace::{registers, request, string, wait};

/// System calls with a path, and which of their arguments it is; a directory's descriptor is in front of it if that is not 0.
const WITH_PATH: &[(i64, usize)] = &[
    (libc::SYS_open, 0),
    (libc::SYS_stat, 0),
    (libc::SYS_lstat, 0),
    (libc::SYS_access, 0),
    (libc::SYS_readlink, 0),
    (libc::SYS_openat, 1),
    (libc::SYS_openat2, 1),
    (libc::SYS_newfstatat, 1),
    (libc::SYS_statx, 1),
    (libc::SYS_faccessat, 1),
    (libc::SYS_faccessat2, 1),
    (libc::SYS_readlinkat, 1),
];

/// System calls after which paths have another meaning: what is traced after them cannot be used.
const FATAL: &[i64] = &[libc::SYS_chdir, libc::SYS_fchdir, libc::SYS_chroot];

/// What a run looked at.
#[derive(Debug, Default)]
pub struct Traced {
    /// The exit status; None if a signal ended it.
    pub status: Option<i32>,
    /// Each path as it was given, and what was there at the first look.
    pub paths: BTreeMap<PathBuf, Found>,
    /// Why the paths are not all that matters.
    pub incomplete: Option<String>,
}

/// Runs `program` with nothing as its input, and its messages in `messages`. None if it cannot be traced.
pub fn run(
    program: &Path,
    line: &[OsString],
    messages: &File,
    own: impl Fn(&Path) -> bool,
) -> Option<Traced> {
    let filter = filter();
    // SAFETY: the process has one thread, so the child may do whatever it likes.
    let child = unsafe { libc::fork() };
    match child {
        -1 => return None,
        0 => {
            become_traced(&filter, messages);
            process::become_program(program, line);
            // SAFETY: ends the child without what the parent has registered.
            unsafe { libc::_exit(126) };
        }
        _ => {}
    }
    let mut traced = Traced::default();
    if wait(child)?.1 >> 8 != libc::SIGSTOP {
        return None;
    }
    let options = libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SETOPTIONS, child, options as usize)?;
    request(libc::PTRACE_CONT, child, 0)?;
    loop {
        let (process, status) = wait(-1)?;
        if !libc::WIFSTOPPED(status) {
            if process == child {
                traced.status = libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status));
                return Some(traced);
            }
            continue;
        }
        let (signal, event) = (libc::WSTOPSIG(status), status >> 16);
        if event == libc::PTRACE_EVENT_SECCOMP {
            traced.look(process, &own);
        }
        // Stops that ptrace makes are no signals of the program.
        let delivered =
            if event != 0 || signal == libc::SIGSTOP || signal == libc::SIGTRAP { 0 } else { signal };
        // A process that is gone meanwhile is waited for as well.
        let _ = request(libc::PTRACE_CONT, process, delivered as usize);
    }
}

impl Traced {
    /// Takes down the path of the system call that `process` is about to do.
    fn look(&mut self, process: i32, own: &impl Fn(&Path) -> bool) {
        let Some(registers) = registers(process) else {
            return self.fail("its registers cannot be read");
        };
        let number = registers.orig_rax as i64;
        let arguments = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
        if FATAL.contains(&number) {
            return self.fail("it changes its directory");
        }
        let (path, listed) = if number == libc::SYS_getdents64 {
            (descriptor(process, arguments[0] as i32), true)
        } else {
            let Some((_, at)) = WITH_PATH.iter().find(|(known, _)| *known == number) else {
                return self.fail("it does an unknown system call");
            };
            let writes = (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT) as u64;
            if matches!(number, libc::SYS_open | libc::SYS_openat) && arguments[at + 1] & writes != 0 {
                return;
            }
            match string(process, arguments[*at]) {
                // The descriptor itself is meant.
                Some(path) if path.is_empty() => return,
                Some(path) => (absolute(process, *at, arguments[0] as i32, PathBuf::from(path)), false),
                None => (None, false),
            }
        };
        let Some(path) = path else { return self.fail("a path cannot be read") };
        if is_kernels(&path) || own(&path) {
            return;
        }
        match Found::at(&path, listed) {
            // The list of names counts for more than that it is there.
            Some(found) if listed => drop(self.paths.insert(path, found)),
            Some(found) => drop(self.paths.entry(path).or_insert(found)),
            None => self.fail(&format!("what is at {} cannot be told", path.display())),
        }
    }

    fn fail(&mut self, why: &str) {
        self.incomplete.get_or_insert_with(|| format!("the compiler cannot be followed: {why}"));
    }
}

/// Whether a path tells of the process or the machine, not of a file. Others below /proc lead to files (/proc/self/cwd).
fn is_kernels(path: &Path) -> bool {
    const KERNELS: [&str; 8] = [
        "/sys",
        "/proc/sys",
        "/proc/cpuinfo",
        "/proc/meminfo",
        "/proc/self/exe",
        "/proc/self/fd",
        "/proc/self/maps",
        "/proc/self/cgroup",
    ];
    // Devices, but not what is in /dev/shm.
    path.parent() == Some(Path::new("/dev")) || KERNELS.iter().any(|known| path.starts_with(known))
}

/// A path of a system call, relative to the working directory or absolute.
fn absolute(process: i32, at: usize, directory: i32, path: PathBuf) -> Option<PathBuf> {
    if at == 0 || directory == libc::AT_FDCWD || path.is_absolute() {
        return Some(path);
    }
    Some(descriptor(process, directory)?.join(path))
}

fn descriptor(process: i32, number: i32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{process}/fd/{number}")).ok().filter(|path| path.is_absolute())
}

/// In the child: stops for the parent, then has the system calls of `filter` reported. What fails shows in the parent: the
/// child does not stop, or nothing is reported, not even the loader's files.
fn become_traced(filter: &[libc::sock_filter], messages: &File) {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    // SAFETY: descriptors are the child's own; the filter outlives the call that copies it.
    unsafe {
        let input = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        libc::dup2(input, 0);
        libc::dup2(input, 1);
        libc::dup2(messages.as_raw_fd(), 2);
        if libc::ptrace(libc::PTRACE_TRACEME, 0, 0usize, 0usize) != 0 {
            libc::_exit(126);
        }
        libc::raise(libc::SIGSTOP);
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0 {
            libc::_exit(126);
        }
    }
}

/// The filter: calls that look a path up are reported, those of other architectures fail, the rest is done.
fn filter() -> Vec<libc::sock_filter> {
    const ARCHITECTURE: u32 = 0xc000_003e;
    let reported: Vec<i64> = WITH_PATH
        .iter()
        .map(|(number, _)| *number)
        .chain(FATAL.iter().copied())
        .chain([libc::SYS_getdents64])
        .collect();
    let statement = |code: u32, value: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k: value };
    let branch = |value: u32, yes: u8, no: u8| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: yes,
        jf: no,
        k: value,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let give = libc::BPF_RET | libc::BPF_K;
    let mut filter = vec![
        statement(load, offset_of!(libc::seccomp_data, arch) as u32),
        branch(ARCHITECTURE, 1, 0),
        statement(give, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
        statement(load, offset_of!(libc::seccomp_data, nr) as u32),
    ];
    for (index, number) in reported.iter().enumerate() {
        // To the last statement, over the comparisons that are left and the one that allows.
        filter.push(branch(*number as u32, (reported.len() - index) as u8, 0));
    }
    filter.push(statement(give, libc::SECCOMP_RET_ALLOW));
    filter.push(statement(give, libc::SECCOMP_RET_TRACE));
    filter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_at_files_are_taken_down() {
        let messages = File::options().write(true).open("/dev/null").expect("it is there");
        let line = ["sh", "-c", "test -e /nothing/there; read x < /etc/passwd; exit 3"].map(OsString::from);
        let traced = run(Path::new("/bin/sh"), &line, &messages, |_| false).expect("tests may trace");
        assert_eq!(traced.status, Some(3));
        assert_eq!(traced.incomplete, None);
        assert_eq!(traced.paths.get(Path::new("/nothing/there")), Some(&Found::Nothing));
        assert!(matches!(traced.paths.get(Path::new("/etc/passwd")), Some(Found::Exactly(_))));
        // The dynamic loader's look at the C library.
        assert!(traced.paths.keys().any(|path| path.as_os_str().as_encoded_bytes().ends_with(b"libc.so.6")));
    }

    #[test]
    fn a_program_that_moves_cannot_be_followed() {
        let messages = File::options().write(true).open("/dev/null").expect("it is there");
        let line = ["sh", "-c", "cd /; true"].map(OsString::from);
        let traced = run(Path::new("/bin/sh"), &line, &messages, |_| false).expect("tests may trace");
        assert!(traced.incomplete.is_some());
    }
}
