//! What a process has of memory when it ends.
//!
//! The maximum that wait4 tells includes the process that it was started from. So the child is traced: it stops when it
//! is about to end, with its memory still there, and the kernel's account of it is read.
//!
//! # Safety
//! Unsafe are the system calls for tracing, and what runs in the child before it executes the program.

#![expect(unsafe_code, reason = "std does not trace")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// KiB of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Memory {
    /// The most that was resident.
    pub peak: f64,
    /// Of what was resident at the end: its own.
    pub own: f64,
    /// The rest of that: of files, which other processes may share.
    pub shared: f64,
}

/// Runs `command` to its end, its output going nowhere.
///
/// # Errors
/// It cannot be traced, or does not exit with status 0.
pub fn measure(command: &mut Command, directory: &Path) -> Result<Memory> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(directory);
    // SAFETY: one system call.
    unsafe {
        command.pre_exec(|| {
            if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) == 0 {
                Ok(())
            } else {
                Err(std::io::Error::last_os_error())
            }
        });
    }
    let child = command.spawn().with_context(|| format!("cannot run {command:?}"))?;
    let id = i32::try_from(child.id()).context("a process id")?;
    // It stops when it has executed the program.
    let status = wait(id)?;
    ensure!(libc::WIFSTOPPED(status), "{command:?} did not stop at its start");
    // Programs may execute others: without TRACEEXEC that looks like a signal of their own.
    let options = libc::PTRACE_O_TRACEEXIT | libc::PTRACE_O_TRACEEXEC | libc::PTRACE_O_EXITKILL;
    trace(libc::PTRACE_SETOPTIONS, id, options as usize)?;
    let mut memory = None;
    let mut signal = 0;
    loop {
        trace(libc::PTRACE_CONT, id, signal as usize)?;
        let status = wait(id)?;
        if libc::WIFEXITED(status) {
            ensure!(libc::WEXITSTATUS(status) == 0, "{command:?} exited with {}", libc::WEXITSTATUS(status));
            return memory.with_context(|| format!("{command:?} did not stop at its end"));
        }
        if libc::WIFSIGNALED(status) {
            bail!("signal {} ended {command:?}", libc::WTERMSIG(status));
        }
        let event = status >> 16;
        if event == libc::PTRACE_EVENT_EXIT {
            memory = Some(read(id)?);
        }
        signal = if event == 0 { libc::WSTOPSIG(status) } else { 0 };
    }
}

fn trace(request: libc::c_uint, id: i32, data: usize) -> Result<()> {
    // SAFETY: neither request writes to memory of ours.
    let result = unsafe { libc::ptrace(request, id, 0, data) };
    ensure!(result == 0, "tracing process {id}: {}", std::io::Error::last_os_error());
    Ok(())
}

fn wait(id: i32) -> Result<i32> {
    let mut status = 0;
    // SAFETY: the status is a variable of this function.
    let result = unsafe { libc::waitpid(id, &raw mut status, 0) };
    ensure!(result == id, "waiting for process {id}: {}", std::io::Error::last_os_error());
    Ok(status)
}

/// The kernel's account of a process (proc(5), /proc/pid/status).
fn read(id: i32) -> Result<Memory> {
    let text = fs::read_to_string(format!("/proc/{id}/status")).context("no account of its memory")?;
    let field = |name: &str| -> Result<f64> {
        let line =
            text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
        Ok(line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse()?)
    };
    let own = field("RssAnon")? + field("RssShmem")?;
    Ok(Memory { peak: field("VmHWM")?, own, shared: field("RssFile")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_used_counts() {
        let used =
            |script: &str| measure(Command::new("python3").args(["-c", script]), Path::new("/")).unwrap();
        let (little, much) = (used("0"), used("x = b'a' * 50000000; import os; os._exit(0)"));
        assert!(much.peak > little.peak + 40000.0 && much.own > little.own + 40000.0, "{little:?} {much:?}");
        assert!(little.shared > 0.0 && much.shared < little.shared + 10000.0, "{little:?} {much:?}");
    }

    #[test]
    fn failures_are_told() {
        let message =
            measure(Command::new("sh").args(["-c", "exit 3"]), Path::new("/")).unwrap_err().to_string();
        assert!(message.contains("exited with 3"), "{message}");
    }
}
