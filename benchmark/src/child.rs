//! Runs one child process to its end and says what it took.
//!
//! Receives a command; hands on its [`Usage`] and its output. Output goes to files, so that no reader runs beside what
//! is measured.
//!
//! # Safety
//! The only unsafe code of the crate are the system calls that wait for children, and the one that has orphans become some.

#![expect(unsafe_code, reason = "std does not tell the processor time of a child")]

use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// What a child took, and what it printed.
#[derive(Debug)]
pub struct Usage {
    /// From before it was started until it was reaped.
    pub wall: Duration,
    /// User and system time, its own and that of children it waited for.
    pub cpu: Duration,
    /// Its standard output.
    pub stdout: Vec<u8>,
}

/// Runs `command`, which writes its output to files in `directory`.
///
/// # Errors
/// It cannot be started, or does not exit with status 0; the message has what it wrote to standard error.
pub fn run(command: &mut Command, directory: &Path) -> Result<Usage> {
    let [stdout, stderr] = ["stdout", "stderr"].map(|name| directory.join(name));
    let create =
        |path| File::create(path).with_context(|| format!("cannot write to {}", directory.display()));
    command.stdin(Stdio::null()).stdout(create(&stdout)?).stderr(create(&stderr)?);
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let (status, cpu) = wait(child.id()).with_context(|| format!("cannot wait for {command:?}"))?;
    let wall = start.elapsed();
    let read = |path| fs::read(path).with_context(|| format!("cannot read from {}", directory.display()));
    let errors = String::from_utf8_lossy(&read(&stderr)?).into_owned();
    ensure!(status.success(), "{command:?}: {status}\n{errors}");
    Ok(Usage { wall, cpu, stdout: read(&stdout)? })
}

/// How long processes that a command has left behind may go on.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs `command` as [`run`] does, and then waits for all processes that it has left behind, such as a daemon of its own: their
/// processor time counts, too. Nothing else may have children meanwhile.
///
/// # Errors
/// As of [`run`]; or one of the processes goes on for two minutes.
pub fn run_with_orphans(command: &mut Command, directory: &Path) -> Result<Usage> {
    adopt(true)?;
    let result = run(command, directory).and_then(|mut usage| {
        let start = Instant::now();
        loop {
            match wait_for(-1, libc::WNOHANG) {
                Ok(Some((_, cpu))) => usage.cpu += cpu,
                Ok(None) => {
                    ensure!(start.elapsed() < PATIENCE, "{command:?}: what it has started does not end");
                    thread::sleep(Duration::from_millis(10));
                }
                // No children are left.
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(usage),
                Err(error) => return Err(error).context("cannot wait"),
            }
        }
    });
    adopt(false)?;
    result
}

/// Whether processes become children of this one when their parents end (prctl(2), `PR_SET_CHILD_SUBREAPER`).
fn adopt(whether: bool) -> Result<()> {
    // SAFETY: takes numbers only.
    let result = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, libc::c_ulong::from(whether)) };
    ensure!(result == 0, "prctl: {}", std::io::Error::last_os_error());
    Ok(())
}

/// Waits for the child `id`, which nothing else may wait for.
fn wait(id: u32) -> std::io::Result<(ExitStatus, Duration)> {
    let id = i32::try_from(id).map_err(std::io::Error::other)?;
    wait_for(id, 0)?.ok_or_else(|| std::io::Error::other("it goes on"))
}

/// Waits for a child, or with -1 for any; with `WNOHANG` there may be none that has ended.
fn wait_for(id: i32, options: i32) -> std::io::Result<Option<(ExitStatus, Duration)>> {
    let (mut status, mut usage) = (0, MaybeUninit::<libc::rusage>::zeroed());
    loop {
        // SAFETY: both pointers are to variables of this function of the types that wait4 writes.
        let ended = unsafe { libc::wait4(id, &raw mut status, options, usage.as_mut_ptr()) };
        if ended > 0 {
            break;
        }
        if ended == 0 {
            return Ok(None);
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: integers only, zero before wait4 wrote them.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    Ok(Some((ExitStatus::from_raw(status), time(usage.ru_utime) + time(usage.ru_stime))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Usage> {
        // Tests run beside each other, and each needs files of its own.
        let name = format!("autojit-benchmark-{:?}", std::thread::current().id()).replace(['(', ')'], "");
        let directory = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&directory)?;
        let result = run(Command::new("sh").arg("-c").arg(script), &directory);
        fs::remove_dir_all(&directory)?;
        result
    }

    #[test]
    fn sleeping_takes_wall_time_only() {
        let usage = shell("sleep 0.3; echo done").unwrap();
        assert!(usage.wall >= Duration::from_millis(300), "{usage:?}");
        assert!(usage.cpu < Duration::from_millis(200), "{usage:?}");
        assert_eq!(usage.stdout, b"done\n");
    }

    #[test]
    fn processor_time_of_grandchildren_counts() {
        let busy = "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done'";
        assert!(shell(busy).unwrap().cpu > Duration::from_millis(5));
    }

    #[test]
    fn processor_time_of_what_is_left_behind_counts() {
        let directory =
            std::env::temp_dir().join(format!("autojit-benchmark-orphans-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        // A process that nothing waits for, begun by one that has ended.
        let busy = "i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; sleep 0.2; echo end >end";
        let script = format!("cd '{}'; (sh -c '{busy}' >/dev/null 2>&1 &)", directory.display());
        let usage = run_with_orphans(Command::new("sh").arg("-c").arg(script), &directory);
        let ended = directory.join("end").exists();
        fs::remove_dir_all(&directory).unwrap();
        let usage = usage.unwrap();
        assert!(ended && usage.cpu > Duration::from_millis(15), "{usage:?}");
    }

    #[test]
    fn a_failure_is_told_with_its_message() {
        let message = shell("echo the reason >&2; exit 3").unwrap_err().to_string();
        assert!(message.contains("exit status: 3") && message.contains("the reason"), "{message}");
        let message = shell("kill -SEGV $$").unwrap_err().to_string();
        assert!(message.contains("SIGSEGV"), "{message}");
    }
}
