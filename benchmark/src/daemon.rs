//! Programs whose code comes from autojitd: first runs with one that is warm but has nothing of theirs, runs after a build
//! that it worked ahead of, and how much more it does with two compilers than with one.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use autojit_tests::run::command;

use crate::builds::Build;
use crate::measure::milliseconds;
use crate::memory::Memory;
use crate::series::{Pair, by_turns};
use crate::setup::{How, Setup};

/// How long it may take to start, or to finish what it does.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon, killed on drop.
#[derive(Debug)]
struct Daemon<'a> {
    setup: &'a Setup,
    child: Child,
    socket: PathBuf,
}

impl<'a> Daemon<'a> {
    /// A daemon with so many compilers; with the cache that programs use, or none.
    fn start(setup: &'a Setup, jobs: u32, cache: bool) -> Result<Self> {
        let socket = setup.directory("daemon")?.join("socket");
        let mut daemon = autojitd(setup, &socket);
        daemon.arg(format!("--jobs={jobs}"));
        if cache {
            daemon.env_remove("AUTOJIT_DISABLE_OBJECT_CACHE").env("AUTOJIT_CACHE_DIR", setup.cache());
        }
        let child = daemon.stdin(Stdio::null()).spawn().context("autojitd is not built: scripts/build")?;
        let daemon = Self { setup, child, socket };
        daemon.until(|daemon| daemon.number("compilers").is_ok())?;
        Ok(daemon)
    }

    /// Has a command be its client, for all that it compiles.
    fn client<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("AUTOJIT_MODE", "daemon")
            .env("AUTOJIT_SOCKET_PATH", &self.socket)
            .env("AUTOJIT_DAEMON_PATH", "/nowhere/autojitd")
            .env("AUTOJIT_BASELINE", "off")
    }

    /// A lazy program as its client, with nothing in any cache.
    fn first(&self, program: &Path, arguments: &[String]) -> Command {
        let mut command = self.setup.start_again(program, How::Lazy);
        self.client(command.args(arguments)).env("AUTOJIT_DISABLE_OBJECT_CACHE", "On");
        command
    }

    /// A number of its status.
    fn number(&self, name: &str) -> Result<u64> {
        let output = autojitd(self.setup, &self.socket).arg("--status").output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let status: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        status[name].as_u64().with_context(|| format!("no {name} in the status of autojitd"))
    }

    fn until(&self, is_so: impl Fn(&Self) -> bool) -> Result<()> {
        let start = Instant::now();
        while !is_so(self) {
            ensure!(start.elapsed() < PATIENCE, "autojitd does not answer, or does not finish");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until it has nothing to do.
    fn rest(&self) -> Result<()> {
        self.until(|daemon| {
            let none = |name| daemon.number(name).is_ok_and(|number| number == 0);
            none("waiting_ahead") && none("busy") && none("unwritten")
        })
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // It may have ended by itself: then what it was asked for has failed and said so.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// autojitd as a command.
fn autojitd(setup: &Setup, socket: &Path) -> Command {
    let mut daemon = command(setup.program("autojitd"));
    daemon.env("AUTOJIT_SOCKET_PATH", socket);
    daemon
}

/// First runs of `lazy` through a daemon whose compilers have compiled the same program, but at another level, so that
/// LLVM is warm and nothing is known; beside the plain program. `measure` runs a command.
///
/// # Errors
/// A program fails.
pub fn first<T>(
    setup: &Setup,
    programs: &Pair<PathBuf>,
    arguments: &[String],
    measure: impl Fn(&mut Command) -> Result<T>,
) -> Result<Pair<Vec<T>>> {
    by_turns(
        setup.turns(),
        || measure(setup.start_again(&programs.plain, How::Plain).args(arguments)),
        || {
            let daemon = Daemon::start(setup, 2, false)?;
            let mut other = daemon.first(&programs.lazy, arguments);
            setup.run(other.env("AUTOJIT_OPT", "1"))?;
            daemon.rest()?;
            let before = daemon.number("compiled")?;
            let taken = measure(&mut daemon.first(&programs.lazy, arguments))?;
            ensure!(daemon.number("compiled")? > before, "autojitd has compiled nothing");
            Ok(taken)
        },
    )
}

/// What [`first`] measures of time.
///
/// # Errors
/// A program fails.
pub fn first_times(
    setup: &Setup,
    programs: &Pair<PathBuf>,
    arguments: &[String],
) -> Result<Pair<Vec<Duration>>> {
    first(setup, programs, arguments, |command| Ok(setup.run(command)?.wall))
}

/// What [`first`] measures of memory.
///
/// # Errors
/// A program fails.
pub fn first_memories(
    setup: &Setup,
    programs: &Pair<PathBuf>,
    arguments: &[String],
) -> Result<Pair<Vec<Memory>>> {
    first(setup, programs, arguments, |command| setup.memory(command))
}

/// Milliseconds of a run that follows a build, with a daemon that has had the time to work ahead; beside, as plain, one
/// more run of the same program.
///
/// # Errors
/// A program fails, or finds less than all of its code.
pub fn ahead(setup: &Setup, build: &Build<'_>, arguments: &[String]) -> Result<Pair<Vec<f64>>> {
    let daemon = Daemon::start(setup, 2, true)?;
    let build = build.announced_at(&daemon.socket);
    let run = |program: &Path| -> Result<(f64, bool)> {
        let mut command = setup.start_again(program, How::Lazy);
        let (usage, statistics) = setup.statistics(daemon.client(command.args(arguments)))?;
        Ok((milliseconds(&usage.wall), statistics["from_daemon"].as_u64() == Some(0)))
    };
    // What has run is known from here on.
    let program = build.build()?.program;
    run(&program)?;
    daemon.rest()?;
    let whole = |(time, whole): (f64, bool)| {
        ensure!(whole, "autojitd has not compiled ahead all that ran before");
        Ok(time)
    };
    by_turns(
        setup.least_turns(),
        || whole(run(&program)?),
        || {
            let program = build.build()?.program;
            daemon.rest()?;
            whole(run(&program)?)
        },
    )
}

/// By the clock, first runs of a program at two levels at the same time: with one compiler, which counts as plain, and with
/// two.
///
/// # Errors
/// A program fails.
pub fn jobs(setup: &Setup, lazy: &Path, arguments: &[String]) -> Result<Pair<Vec<Duration>>> {
    let both = |jobs| -> Result<Duration> {
        let daemon = Daemon::start(setup, jobs, false)?;
        let start = Instant::now();
        let mut programs = Vec::new();
        for level in [None, Some("0")] {
            let mut command = daemon.first(lazy, arguments);
            command.envs(level.map(|level| ("AUTOJIT_OPT", level)));
            programs.push(
                command.stdout(Stdio::null()).spawn().with_context(|| format!("cannot run {command:?}"))?,
            );
        }
        for mut program in programs {
            ensure!(program.wait()?.success(), "{} has failed", lazy.display());
        }
        Ok(start.elapsed())
    };
    by_turns(setup.least_turns(), || both(1), || both(2))
}
