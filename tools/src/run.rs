//! autojit-run: preloads libautojit.so and becomes the program, so that its exit status and signals are the caller's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::arguments::{self, Start, Task};
use crate::{Failure, cached, doctor, installation, list, needed, process, progress, revive, undefined};

/// The table of options as text; a test of the runtime compares.
const ENVIRONMENT: &str = include_str!("options.txt");

/// Does what the arguments ask for.
pub fn run(arguments: Vec<OsString>) -> Result<u8, Failure> {
    match arguments::parse(arguments)? {
        Task::Help => print!("{}\nEnvironment:\n{ENVIRONMENT}", arguments::help()),
        Task::Version => println!("autojit-run {}", env!("CARGO_PKG_VERSION")),
        Task::CacheStats => cached::print()?,
        Task::CacheClear => cached::clear()?,
        Task::List(files) => list::print(&files)?,
        Task::Where(words) => undefined::print(&words)?,
        Task::CoreLines(words) => match &words[..] {
            [core, output] => revive::print(core, output)?,
            _ => return Err(Failure::new(2, "--core-lines takes a core file and the file to write")),
        },
        Task::Doctor => return doctor::run(),
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
/// Beside the installation's programs: the script that has gdb know lines in processes that it attaches to.
const GDB_SCRIPT: &str = "../share/autojit/gdb.py";

/// The program and its arguments, with those that debuggers get.
fn line_for(program: &Path, mut line: Vec<OsString>) -> Vec<OsString> {
    if program.file_name().is_some_and(|name| name == "gdb" || name == "gdb-multiarch") {
        line.splice(1..1, FOR_GDB.map(OsString::from));
        let script = installation::own_directory().join(GDB_SCRIPT);
        // A package of the system has it where gdb finds it.
        if script.is_file() {
            line.splice(1..1, ["-ix".into(), script.into()]);
        }
    }
    line
}

/// Sets the environment up. The program's file.
fn prepare(start: &Start) -> Result<PathBuf, Failure> {
    let library = installation::library("libautojit.so", 127)?;
    let preload =
        installation::preload(&library, process::variable("LD_PRELOAD").as_deref()).ok_or_else(|| {
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
    if let Some(trace) = &start.trace {
        process::set_variable("AUTOJIT_TRACE", trace);
    }
    if let Some(mode) = start.mode {
        process::set_variable("AUTOJIT_MODE", mode);
        if mode == "daemon" {
            start_daemon()?;
        }
    }
    process::set_variable("LD_PRELOAD", preload);
    if start.progress {
        progress::start();
    }
    Ok(program)
}

/// Has autojitd run in the background: the one that AUTOJIT_DAEMON_PATH names, else the one beside this program, or in
/// PATH.
fn start_daemon() -> Result<(), Failure> {
    let missing = || Failure::new(127, "autojitd not found; set AUTOJIT_DAEMON_PATH");
    let beside = || installation::own_directory().join("autojitd").into_os_string();
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
