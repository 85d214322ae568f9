//! Optimised programs that begin with code of the baseline compiler, which counts; what runs often is optimised by a daemon
//! of the program's own meanwhile (AUTOJIT_TIER). What the daemon takes is in the figures of [`total`] only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use autojit_tests::run::by_llvm;

use crate::passes::Passes;
use crate::series::{Pair, Turns, by_turns};
use crate::setup::{How, Setup};

/// What a program with long work is run with.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// Its arguments.
    pub arguments: &'a [String],
    /// How often it does its work (passes.h), for about five seconds.
    pub passes: u32,
}

impl Work<'_> {
    fn given<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.args(self.arguments).env("PASSES", self.passes.to_string())
    }
}

/// The greatest threshold.
const NEVER: &str = "1073741824";

/// Has a lazy program begin with baseline code.
fn tiered<'c>(setup: &Setup, command: &'c mut Command, tier: &str) -> Result<&'c mut Command> {
    let socket = setup.directory("tiers")?.join("socket");
    // The daemon of the last run ends with its program, but not at once.
    if socket.exists() {
        fs::remove_file(&socket)?;
    }
    command
        .env("AUTOJIT_TIER", tier)
        .env("AUTOJIT_MODE", "auto")
        .env("AUTOJIT_SOCKET_PATH", socket)
        .env("AUTOJIT_DAEMON_PATH", setup.program("autojitd"));
    Ok(command)
}

/// The processor times of first runs of both programs, with nothing cached.
///
/// # Errors
/// A program fails, or its code is not replaced.
pub fn first(setup: &Setup, programs: &Pair<PathBuf>, work: Work<'_>) -> Result<Pair<Vec<Duration>>> {
    let mut command = setup.start(&programs.lazy, How::Lazy)?;
    check(setup, programs, work, tiered(setup, &mut command, "on")?)?;
    runs(setup, programs, work, || setup.start(&programs.lazy, How::Lazy))
}

/// First runs of the lazy program: by turns one in which LLVM compiles each function at its first call, at the build's level,
/// which is the plain run and code generation of what ran and counts as plain; and one as in [`first`], with what copies of
/// the program and its daemon take until all of them have ended.
///
/// # Errors
/// As of [`first`].
pub fn total(setup: &Setup, programs: &Pair<PathBuf>, work: Work<'_>) -> Result<Pair<Vec<Duration>>> {
    let mut command = setup.start(&programs.lazy, How::Lazy)?;
    check(setup, programs, work, tiered(setup, &mut command, "on")?)?;
    let generated = || {
        let mut command = setup.start(&programs.lazy, How::Lazy)?;
        command
            .env("AUTOJIT_TIER", "off")
            .env("AUTOJIT_MODE", "inprocess")
            .env("AUTOJIT_DISABLE_OBJECT_CACHE", "On");
        Ok::<_, anyhow::Error>(by_llvm(command))
    };
    let (_, statistics) = setup.statistics(work.given(&mut generated()?))?;
    ensure!(
        statistics["compiled"].as_u64() > Some(0) && statistics["baseline"] == 0,
        "LLVM was to compile everything: {statistics}"
    );
    by_turns(
        setup.few_turns(),
        || Ok(setup.run(work.given(&mut generated()?))?.cpu),
        || {
            let mut command = setup.start(&programs.lazy, How::Lazy)?;
            Ok(setup.run_with_orphans(tiered(setup, work.given(&mut command), "on")?)?.cpu)
        },
    )
}

/// The processor times of later runs of programs that were built without optimisation, the lazy one with `AUTOJIT_OPT=2`.
///
/// # Errors
/// A program fails, or its code is not replaced.
pub fn raised(setup: &Setup, programs: &Pair<PathBuf>, work: Work<'_>) -> Result<Pair<Vec<Duration>>> {
    let raise = |mut command: Command| {
        command.env("AUTOJIT_OPT", "2");
        command
    };
    let mut command = raise(setup.start(&programs.lazy, How::Lazy)?);
    check(setup, programs, work, tiered(setup, &mut command, "wait")?)?;
    runs(setup, programs, work, || Ok(raise(setup.start_again(&programs.lazy, How::Lazy))))
}

/// Those of later runs, which begin with what has replaced baseline code in an earlier one.
///
/// # Errors
/// A program fails, or its code is not replaced.
pub fn later(setup: &Setup, programs: &Pair<PathBuf>, work: Work<'_>) -> Result<Pair<Vec<Duration>>> {
    let mut command = setup.start(&programs.lazy, How::Lazy)?;
    check(setup, programs, work, tiered(setup, &mut command, "wait")?)?;
    runs(setup, programs, work, || Ok(setup.start_again(&programs.lazy, How::Lazy)))
}

/// Those of first runs after an edit: `edit` makes one, and gives the program. An earlier run has had optimised what runs often.
///
/// # Errors
/// A program fails, or no code of the earlier run is found.
pub fn edited(
    setup: &Setup,
    programs: &Pair<PathBuf>,
    work: Work<'_>,
    edit: impl Fn() -> Result<PathBuf>,
) -> Result<Pair<Vec<Duration>>> {
    let mut command = setup.start(&programs.lazy, How::Lazy)?;
    check(setup, programs, work, tiered(setup, &mut command, "wait")?)?;
    let program = edit()?;
    let mut command = setup.start_again(&program, How::Lazy);
    let (_, statistics) = setup.statistics(tiered(setup, work.given(&mut command), "on")?)?;
    wait_for_rest(setup, &program)?;
    // By content in the edited file, if anything of that was optimised; else in those of other modules.
    let kept = ["same_content", "from_cache"].map(|key| statistics[key].as_u64().unwrap_or(0));
    ensure!(kept != [0, 0], "all was compiled anew: {statistics}");
    by_turns(
        setup.few_turns(),
        || Ok(setup.run(work.given(&mut setup.start(&programs.plain, How::Plain)?))?.cpu),
        || {
            let program = edit()?;
            let mut command = setup.start_again(&program, How::Lazy);
            let taken = setup.run(tiered(setup, work.given(&mut command), "on")?)?.cpu;
            wait_for_rest(setup, &program)?;
            Ok(taken)
        },
    )
}

fn runs(
    setup: &Setup,
    programs: &Pair<PathBuf>,
    work: Work<'_>,
    lazy: impl Fn() -> Result<Command>,
) -> Result<Pair<Vec<Duration>>> {
    by_turns(
        setup.few_turns(),
        || Ok(setup.run(work.given(&mut setup.start(&programs.plain, How::Plain)?))?.cpu),
        || {
            let taken = setup.run(tiered(setup, work.given(&mut lazy()?), "on")?)?.cpu;
            wait_for_rest(setup, &programs.lazy)?;
            Ok(taken)
        },
    )
}

/// How long what a program has left behind may take.
const REST: Duration = Duration::from_secs(60);

/// Waits for what a program has left behind: copies that have code optimised, and daemons of their own, which write it to the
/// cache. The next run is to find neither them nor that.
fn wait_for_rest(setup: &Setup, program: &Path) -> Result<()> {
    let found = |path: &Path| path.canonicalize().with_context(|| format!("cannot find {}", path.display()));
    let (program, daemon) = (found(program)?, found(&setup.program("autojitd"))?);
    let is_rest = |process: fs::DirEntry| {
        let Ok(file) = fs::read_link(process.path().join("exe")) else { return false };
        // Those that listen are of others.
        let is_own = || fs::read(process.path().join("cmdline")).is_ok_and(|it| it.ends_with(b"\0--stdio\0"));
        file == program || (file == daemon && is_own())
    };
    let start = Instant::now();
    while fs::read_dir("/proc").context("cannot read /proc")?.flatten().any(is_rest) {
        ensure!(start.elapsed() < REST, "{} or its daemon is still running", program.display());
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Runs both once, unmeasured. They must compute the same, and the lazy one's code must be replaced.
fn check(setup: &Setup, programs: &Pair<PathBuf>, work: Work<'_>, lazy: &mut Command) -> Result<()> {
    let plain = setup.run(work.given(&mut setup.start(&programs.plain, How::Plain)?))?;
    let (usage, statistics) = setup.statistics(work.given(lazy))?;
    wait_for_rest(setup, &programs.lazy)?;
    ensure!(result(&plain.stdout) == result(&usage.stdout), "{lazy:?} prints something else");
    let number = |key: &str| statistics[key].as_u64().unwrap_or(0);
    let replaced = number("optimized") + number("replaced_on_stack");
    ensure!(number("baseline") > 0 && replaced > 0, "nothing was replaced: {statistics}");
    Ok(())
}

/// What a program has computed is the last word that it prints; passes.h prints times in front of it.
fn result(stdout: &[u8]) -> String {
    String::from_utf8_lossy(stdout).split_whitespace().last().unwrap_or_default().to_owned()
}

/// The processor times of further passes of the lazy program `lazy` in baseline code, by turns without counting, which
/// counts as plain, and with it.
///
/// # Errors
/// The program fails, or has other code.
pub fn counting(setup: &Setup, lazy: &Path, turns: Turns) -> Result<Pair<Vec<f64>>> {
    let baseline = |tier: &str| {
        let mut command = setup.start_again(lazy, How::Lazy);
        command
            .env("AUTOJIT_DISABLE_OBJECT_CACHE", "On")
            .env("AUTOJIT_BASELINE", "on")
            .env("AUTOJIT_MODE", "inprocess")
            .env("AUTOJIT_TIER", tier)
            .env("AUTOJIT_TIER_CALLS", NEVER)
            .env("AUTOJIT_TIER_LOOPS", NEVER);
        command
    };
    let mut off = Passes::start(&mut baseline("off"))?;
    let (times, statistics) = setup.statistics_of(&mut baseline("on"), |command| {
        let mut on = Passes::start(command)?;
        let times = by_turns(turns, || off.pass(), || on.pass())?;
        on.end()?;
        Ok(times)
    })?;
    ensure!(
        statistics["baseline"].as_u64() > Some(0) && statistics["optimized"] == 0,
        "it must have baseline code to its end: {statistics}"
    );
    Ok(times)
}
