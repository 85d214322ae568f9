//! Runs programs: with an environment of their own, a time limit, and their output kept.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::{daemon, scratch};

/// How long any program may run. A hang is a failure.
const LIMIT: Duration = Duration::from_secs(120);

/// What a program did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its process id.
    pub pid: u32,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub status: ExitStatus,
}

impl Outcome {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its standard error as text.
    pub fn errors(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Checks that it exited with `code`.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        self
    }

    /// Checks that a signal ended it.
    #[track_caller]
    pub fn assert_signal(&self, signal: i32) -> &Self {
        assert_eq!(self.status.signal(), Some(signal), "{self}");
        self
    }

    /// Checks that another run did the same.
    #[track_caller]
    pub fn assert_same(&self, other: &Self, what: &str) {
        let same = self.status == other.status && self.stdout == other.stdout && self.stderr == other.stderr;
        assert!(same, "{what} differ:\n--- {self}\n--- {other}");
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (text, errors) = (self.text(), self.errors());
        let end = |text: &str| text[text.floor_char_boundary(text.len().saturating_sub(4000))..].to_owned();
        write!(f, "{}\nstdout: {}\nstderr: {}", self.status, end(&text), end(&errors))
    }
}

/// What a user's or cargo's environment may have that would change what compilers and programs do.
const REMOVED: [&str; 11] = [
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_TARGET_DIR",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
    "RUST_BACKTRACE",
    "RUST_LOG",
];

/// `program` as a command that finds nothing of that in its environment, nor any option of ours but this: nothing is kept
/// in the user's cache, nor found there, and the process compiles for itself.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AUTOJIT_") || text.starts_with("LD_") || REMOVED.contains(&&*text) {
            command.env_remove(&name);
        }
    }
    command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "1");
    // Nor does a daemon of the user's take part.
    command.env("AUTOJIT_MODE", "inprocess").env("AUTOJIT_SOCKET_PATH", "/nowhere/autojitd.sock");
    command
}

/// `program` as a command with nothing in its environment but where statistics go (to the file `stats` in `directory`, of
/// which nothing is left), and that nothing is taken from elsewhere.
pub fn bare_command(program: impl AsRef<OsStr>, directory: &Path) -> Command {
    let stats = directory.join("stats");
    drop(fs::remove_file(&stats));
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("AUTOJIT_STATS", stats)
        .env("AUTOJIT_DISABLE_OBJECT_CACHE", "1")
        .env("AUTOJIT_SOCKET_PATH", "/nowhere/socket");
    command
}

/// `program` as a command that runs lazily, with an object cache of its own in `directory`, which is empty, and writes
/// statistics to the file `stats` there.
pub fn lazy_command(program: impl AsRef<OsStr>, directory: &Path) -> Command {
    let command = warm_command(program, directory);
    // What an earlier run left would make it warm.
    drop(fs::remove_dir_all(directory.join("cache")));
    command
}

/// The same with what earlier runs have left in the cache.
pub fn warm_command(program: impl AsRef<OsStr>, directory: &Path) -> Command {
    let mut command = command(program);
    command
        .env_remove("AUTOJIT_DISABLE_OBJECT_CACHE")
        .env("LD_PRELOAD", scratch::dist("lib/libautojit.so"))
        .env("AUTOJIT_CACHE_DIR", directory.join("cache"))
        .env("AUTOJIT_STATS", directory.join("stats"));
    command
}

/// `command` with LLVM compiling everything, in process or in autojitd: for tests that are about that.
pub fn by_llvm(mut command: Command) -> Command {
    command.env("AUTOJIT_BASELINE", "off");
    command
}

/// `command` with the baseline compiler compiling what it can, at any level, for good.
pub fn by_baseline(mut command: Command) -> Command {
    command.env("AUTOJIT_BASELINE", "on").env("AUTOJIT_TIER", "off");
    command
}

/// `command` with the baseline compiler compiling first calls of optimised programs, and each function replaced at its
/// first call.
pub fn by_tiers(mut command: Command) -> Command {
    command.env("AUTOJIT_TIER", "on").env("AUTOJIT_TIER_CALLS", "1").env("AUTOJIT_TIER_LOOPS", "1");
    command
}

/// `program` as a command that runs lazily, with code from the tests' daemon, which must be there, and nothing else.
pub fn daemon_command(program: impl AsRef<OsStr>, directory: &Path) -> Command {
    let mut command = by_llvm(lazy_command(program, directory));
    command
        .env("AUTOJIT_DISABLE_OBJECT_CACHE", "1")
        .env("AUTOJIT_MODE", "daemon")
        .env("AUTOJIT_SOCKET_PATH", daemon::shared())
        .env("AUTOJIT_DAEMON_PATH", "/nowhere/autojitd");
    command
}

/// `program` as a command that runs with the runtime inside it, and the tests' daemon for what that does not compile, with
/// statistics in `directory`.
pub fn static_command(program: impl AsRef<OsStr>, directory: &Path) -> Command {
    let mut command = command(program);
    command
        .env("AUTOJIT_SOCKET_PATH", daemon::shared())
        .env("AUTOJIT_DAEMON_PATH", "/nowhere/autojitd")
        .env("AUTOJIT_STATS", directory.join("stats.%p"));
    command
}

/// Runs `command` in `directory`, where its output is written, with `stdin` as input. Panics if it hangs.
#[track_caller]
pub fn run(command: &mut Command, directory: &Path, stdin: &[u8]) -> Outcome {
    run_within(command, directory, stdin, LIMIT).unwrap_or_else(|| {
        let text = fs::read_to_string(directory.join("stderr")).unwrap_or_default();
        panic!("{command:?} still ran after {LIMIT:?}; stderr: {text}")
    })
}

/// The same with another limit: none if the program was still running then.
#[track_caller]
pub fn run_within(command: &mut Command, directory: &Path, stdin: &[u8], limit: Duration) -> Option<Outcome> {
    let [input, stdout, stderr] = ["stdin", "stdout", "stderr"].map(|name| directory.join(name));
    fs::write(&input, stdin).expect("the directory is writable");
    let create = |path| File::create(path).expect("the directory is writable");
    command
        .current_dir(directory)
        .stdin(Stdio::from(File::open(&input).expect("it was just written")))
        .stdout(Stdio::from(create(&stdout)))
        .stderr(Stdio::from(create(&stderr)))
        // A group of its own, so that a hanging program can be ended with its children.
        .process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the child is ours") {
            break status;
        }
        if start.elapsed() > limit {
            let group = i32::try_from(child.id()).expect("process ids are small");
            // SAFETY: plain system call; the group is the child's own, and the child was not reaped yet.
            unsafe { libc::kill(-group, libc::SIGKILL) };
            child.wait().expect("the child is ours");
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let read = |path| fs::read(path).expect("the output was written there");
    Some(Outcome { pid: child.id(), stdout: read(&stdout), stderr: read(&stderr), status })
}

/// Runs a tool that must succeed; panics with its command line and messages if it does not. Returns what it did.
#[track_caller]
pub fn tool(command: &mut Command) -> Outcome {
    let outcome = attempt(command);
    assert!(outcome.status.success(), "{command:?} failed: {outcome}");
    outcome
}

/// Runs a tool that may fail.
#[track_caller]
pub fn attempt(command: &mut Command) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let pid = child.id();
    let output = child.wait_with_output().expect("the child is ours");
    Outcome { pid, stdout: output.stdout, stderr: output.stderr, status: output.status }
}
