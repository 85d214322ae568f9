//! Programs: finding one as shells do, becoming one, running one.

use std::ffi::{CString, OsStr, OsString};
use std::io::{Error, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;

/// A variable that is set and not empty.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Sets a variable for this process and what it becomes.
pub fn set_variable(name: &str, value: impl AsRef<OsStr>) {
    // SAFETY: the process has one thread.
    unsafe { std::env::set_var(name, value) }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The file that `name` stands for: itself if it has a slash, else what PATH finds.
pub fn find(name: &OsStr) -> Result<PathBuf, Failure> {
    find_if(name, |_| true)
}

/// The same, but never this executable: it may be in PATH under the name of the compiler that it wraps.
pub fn find_other(name: &OsStr) -> Result<PathBuf, Failure> {
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let own = identity(Path::new("/proc/self/exe"));
    find_if(name, |path| identity(path) != own)
}

fn find_if(name: &OsStr, fits: impl Fn(&Path) -> bool) -> Result<PathBuf, Failure> {
    let missing = || Failure::new(127, format!("program '{}' not found", name.display()));
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        if is_executable(&path) {
            return if fits(&path) { Ok(path) } else { Err(missing()) };
        }
        return Err(match path.symlink_metadata() {
            Ok(_) => Failure::new(126, format!("cannot execute '{}'", path.display())),
            Err(_) => missing(),
        });
    }
    let directories = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let found = std::env::split_paths(&directories)
        // An empty entry is the working directory.
        .map(|directory| if directory.as_os_str().is_empty() { PathBuf::from(".") } else { directory })
        .map(|directory| directory.join(name))
        .find(|path| !name.is_empty() && is_executable(path) && fits(path));
    found.ok_or_else(missing)
}

fn c_string(text: &OsStr) -> CString {
    // Arguments and variables come from C strings.
    CString::new(text.as_bytes()).unwrap_or_default()
}

/// Becomes `program`, called `line[0]` with the arguments behind it. Signals stay as they are, blocked or ignored
/// (std's own exec resets them).
pub fn become_program(program: &Path, line: &[OsString]) -> Failure {
    let mut error = execute(program, line);
    if error.raw_os_error() == Some(libc::ENOEXEC) {
        // A script without an interpreter line.
        let script = [OsString::from("sh"), program.into()].into_iter().chain(line[1..].iter().cloned());
        error = execute(Path::new("/bin/sh"), &script.collect::<Vec<_>>());
    }
    let why = match error.kind() {
        // The file is there.
        ErrorKind::NotFound => "its interpreter or loader is missing".to_owned(),
        _ => error.to_string(),
    };
    Failure::new(126, format!("cannot execute '{}': {why}", program.display()))
}

fn execute(program: &Path, line: &[OsString]) -> Error {
    let program = c_string(program.as_os_str());
    let line: Vec<_> = line.iter().map(|argument| c_string(argument)).collect();
    let mut pointers: Vec<_> = line.iter().map(|argument| argument.as_ptr()).collect();
    pointers.push(std::ptr::null());
    // SAFETY: C strings and a null-terminated array of them, which outlive the call.
    unsafe { libc::execv(program.as_ptr(), pointers.as_ptr()) };
    Error::last_os_error()
}

/// Runs a program and hands on its output; its exit status, as shells have it.
pub fn run(program: &Path, line: &[OsString]) -> Result<u8, Failure> {
    let status = command(program, line).status().map_err(|error| cannot_run(program, &error))?;
    Ok(match status.code() {
        Some(code) => u8::try_from(code & 0xff).unwrap_or(1),
        None => 128 + u8::try_from(status.signal().unwrap_or(0)).unwrap_or(0),
    })
}

/// Runs a program as this process would become it, with what it writes to `outputs` in the file `messages`, and waits for it. None
/// if it cannot be started or crashes; another signal that ends it ends this process as well.
pub fn run_as_child(
    program: &Path,
    line: &[OsString],
    messages: &std::fs::File,
    outputs: &[i32],
) -> Option<u8> {
    let status = run_child(program, line, || {
        outputs.iter().for_each(|output| {
            // SAFETY: a descriptor that is open, and numbers.
            unsafe { libc::dup2(messages.as_raw_fd(), *output) };
        });
    })?;
    const CRASHES: [i32; 6] =
        [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGSYS];
    if libc::WIFSIGNALED(status) && !CRASHES.contains(&libc::WTERMSIG(status)) {
        end_by(libc::WTERMSIG(status));
    }
    u8::try_from(libc::WEXITSTATUS(status)).ok().filter(|_| libc::WIFEXITED(status))
}

/// Runs a program as this process would become it, and waits for it: its exit status. A signal that ends it ends this process as well.
pub fn run_in_place(program: &Path, line: &[OsString]) -> Result<u8, Failure> {
    // SAFETY: numbers alone. Where SIGCHLD is ignored, wait(2) tells no exit status.
    let children = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    let status = run_child(program, line, || {
        // SAFETY: the program finds what this process did.
        unsafe { libc::signal(libc::SIGCHLD, children) };
    });
    // Without a second process it is this one.
    let Some(status) = status else { return Err(become_program(program, line)) };
    if libc::WIFSIGNALED(status) {
        end_by(libc::WTERMSIG(status));
    }
    Ok(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(1))
}

/// Ends this process as a child was ended. It leaves no memory image of its own.
fn end_by(signal: i32) {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: numbers and a structure of ours; the signal's own action is an end of the process.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// Runs a program as this process would become it after `prepare`, and waits for it: what `wait` says of it.
fn run_child(program: &Path, line: &[OsString], prepare: impl FnOnce()) -> Option<i32> {
    let parent = std::process::id();
    // SAFETY: the process has one thread, so the child may do whatever it likes.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: numbers alone. A build ends a compile by a signal to the process that it knows.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            if libc::getppid() != parent.cast_signed() {
                libc::_exit(128 + libc::SIGTERM);
            }
        }
        prepare();
        let failure = become_program(program, line);
        eprintln!("autojit: {}", failure.message);
        // SAFETY: ends the child without what the parent has registered.
        unsafe { libc::_exit(failure.status.into()) };
    }
    let mut status = 0;
    // SAFETY: the status is written to a variable of ours. A child that cannot be started has no number, and is not waited for.
    while child < 0 || unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
        if child < 0 || Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
            return None;
        }
    }
    Some(status)
}

/// What a program prints on standard output.
pub fn output(program: &Path, line: &[OsString]) -> Result<Vec<u8>, Failure> {
    let output = command(program, line).stderr(std::process::Stdio::inherit()).output();
    Ok(output.map_err(|error| cannot_run(program, &error))?.stdout)
}

fn command(program: &Path, line: &[OsString]) -> Command {
    let mut command = Command::new(program);
    command.args(&line[1..]);
    command
}

fn cannot_run(program: &Path, error: &Error) -> Failure {
    Failure::new(126, format!("cannot execute '{}': {error}", program.display()))
}

/// The words of a command that a variable holds, as make splits CC; the whole of it if that is a file.
pub fn words(command: &OsStr) -> Vec<OsString> {
    let bytes = command.as_bytes();
    if bytes.contains(&b'/') && Path::new(command).is_file() {
        return vec![command.to_owned()];
    }
    let words = bytes.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty());
    words.map(|word| OsString::from_vec(word.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_words_or_a_file() {
        assert_eq!(words(OsStr::new(" ccache  clang ")), ["ccache", "clang"]);
        assert_eq!(words(OsStr::new("/bin/true")), ["/bin/true"]);
        assert!(words(OsStr::new("  ")).is_empty());
        let file = std::env::temp_dir().join(format!("autojit tools {}", std::process::id()));
        std::fs::write(&file, "").expect("the directory is writable");
        let found = words(file.as_os_str());
        std::fs::remove_file(&file).expect("it is ours");
        assert_eq!(found, [file]);
    }
}
