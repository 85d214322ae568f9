//! autojit-run: preloads libautojit.so and becomes the program, so that its exit status and signals are the caller's.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Failure, cached, needed, place, process};

const USAGE: &str = "\
Usage: autojit-run [options] program [argument...]

Runs a program that was compiled lazily: each function is compiled when it is first called.

Options:
  --stats         print statistics as JSON on stderr at exit
  --stats=FILE    write them to FILE (%p in the name: the process id)
  --daemon        have autojitd compile; start it if it does not run yet
  --inprocess     have the program compile for itself, whether or not autojitd runs
  --cache-stats   print what the cache of compiled code has, as directory, files, bytes and limit
  --cache-clear   remove what it has; running programs go on
  --version       print the version
  --help          print this help
  --              the program's name follows

Exit status: the program's; 127 if the program, libautojit.so or autojitd is not found, 126 if the program cannot be
executed, 2 for a wrong option.

Environment:
";

/// The table of options as text; a test of the runtime compares.
const ENVIRONMENT: &str = include_str!("options.txt");

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Help,
    Version,
    CacheStats,
    CacheClear,
    Program(Start),
}

/// A program to start.
#[derive(Debug, Default, PartialEq, Eq)]
struct Start {
    stats: Option<OsString>,
    /// AUTOJIT_MODE.
    mode: Option<&'static str>,
    /// The program and its arguments, not empty.
    line: Vec<OsString>,
}

fn parse(arguments: Vec<OsString>) -> Result<Task, Failure> {
    let mut start = Start::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        match argument.as_bytes() {
            b"--help" => return Ok(Task::Help),
            b"--version" => return Ok(Task::Version),
            b"--cache-stats" => return Ok(Task::CacheStats),
            b"--cache-clear" => return Ok(Task::CacheClear),
            b"--stats" => start.stats = Some("1".into()),
            b"--daemon" => start.mode = Some("daemon"),
            b"--inprocess" => start.mode = Some("inprocess"),
            b"--" => {
                start.line.extend(arguments);
                break;
            }
            [b'-', ..] => match argument.as_bytes().strip_prefix(b"--stats=") {
                Some(file) if !file.is_empty() => start.stats = Some(OsString::from_vec(file.to_vec())),
                _ => {
                    let message =
                        format!("unknown option '{}'; autojit-run --help lists them", argument.display());
                    return Err(Failure::new(2, message));
                }
            },
            _ => {
                start.line.push(argument);
                start.line.extend(arguments);
                break;
            }
        }
    }
    if start.line.is_empty() {
        return Err(Failure::new(2, "no program given; autojit-run --help tells more"));
    }
    Ok(Task::Program(start))
}

/// Does what the arguments ask for.
pub fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    match parse(arguments)? {
        Task::Help => print!("{USAGE}{ENVIRONMENT}"),
        Task::Version => println!("autojit-run {}", env!("CARGO_PKG_VERSION")),
        Task::CacheStats => cached::print()?,
        Task::CacheClear => cached::clear()?,
        Task::Program(start) => return Err(become_lazy(start)),
    }
    Ok(0)
}

fn become_lazy(start: Start) -> Failure {
    prepare(&start).map_or_else(
        |failure| failure,
        |program| process::become_program(&program, &line_for(&program, start.line)),
    )
}

/// What gdb is to do first: set breakpoints that it can only find once the program has started.
const FOR_GDB: [&str; 2] = ["-iex", "set breakpoint pending on"];

/// The program and its arguments, with those that debuggers get.
fn line_for(program: &Path, mut line: Vec<OsString>) -> Vec<OsString> {
    if program.file_name().is_some_and(|name| name == "gdb" || name == "gdb-multiarch") {
        line.splice(1..1, FOR_GDB.map(OsString::from));
    }
    line
}

/// Sets the environment up. The program's file.
fn prepare(start: &Start) -> Result<PathBuf, Failure> {
    let library = place::library("libautojit.so", 127)?;
    let preload = place::preload(&library, process::variable("LD_PRELOAD").as_deref()).ok_or_else(|| {
        let message =
            format!("cannot preload '{}': its path has a space or a colon in it", library.display());
        Failure::new(127, message)
    })?;
    let program = process::find(&start.line[0])?;
    let preload = match needed::first(&program) {
        Some(first) => [first, preload].join(std::ffi::OsStr::new(":")),
        None => preload,
    };
    if let Some(stats) = &start.stats {
        process::set_variable("AUTOJIT_STATS", stats);
    }
    if let Some(mode) = start.mode {
        process::set_variable("AUTOJIT_MODE", mode);
        if mode == "daemon" {
            start_daemon()?;
        }
    }
    process::set_variable("LD_PRELOAD", preload);
    Ok(program)
}

/// Has autojitd run in the background: the one that AUTOJIT_DAEMON_PATH names, else the one beside this program, or in
/// PATH.
fn start_daemon() -> Result<(), Failure> {
    let missing = || Failure::new(127, "autojitd not found; set AUTOJIT_DAEMON_PATH");
    let beside = || place::own_directory().join("autojitd").into_os_string();
    let named = process::variable("AUTOJIT_DAEMON_PATH").unwrap_or_else(beside);
    let daemon =
        process::find(&named).or_else(|_| process::find("autojitd".as_ref())).map_err(|_| missing())?;
    // Its words are for people: why it cannot run.
    let started = Command::new(&daemon).arg("--detach").stdin(Stdio::null()).stdout(Stdio::null()).status();
    if started.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    Err(Failure::new(127, format!("cannot start '{}'", daemon.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Task, Failure> {
        parse(line.iter().map(OsString::from).collect())
    }

    fn start(stats: Option<&str>, mode: Option<&'static str>, line: &[&str]) -> Result<Task, Failure> {
        let line = line.iter().map(OsString::from).collect();
        Ok(Task::Program(Start { stats: stats.map(OsString::from), mode, line }))
    }

    #[test]
    fn options_end_at_the_program() {
        assert_eq!(parsed(&["a", "--stats"]), start(None, None, &["a", "--stats"]));
        assert_eq!(parsed(&["--", "--stats"]), start(None, None, &["--stats"]));
        assert_eq!(parsed(&["--stats", "--daemon", "a"]), start(Some("1"), Some("daemon"), &["a"]));
        assert_eq!(parsed(&["--stats=f", "--inprocess", "a"]), start(Some("f"), Some("inprocess"), &["a"]));
        assert_eq!(parsed(&["--help", "a"]), Ok(Task::Help));
        for wrong in [&["--nothing", "a"][..], &["-x"], &["--stats=", "a"], &["--"], &[]] {
            assert_eq!(parsed(wrong).map_err(|failure| failure.status), Err(2), "{wrong:?}");
        }
    }
}
