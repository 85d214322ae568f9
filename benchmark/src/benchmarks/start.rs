//! What the first run of a program costs, and what the runtime costs a program without lazy code: time from starting
//! the process to its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::DEBUG;
use crate::child::Usage;
use crate::results::{Comparison, Measurement, Unit};
use crate::series::{Pair, by_turns};
use crate::setup::{How, Program, Setup};

/// How often a process is started (usually, quickly): it takes milliseconds only.
const RUNS: (usize, usize) = (31, 7);

/// The first run of a lazy program beside the plain one. `target` is in milliseconds by the clock.
///
/// # Errors
/// A program fails, prints something else than the other, or compiles nothing when it runs.
pub fn lazy(
    setup: &Setup,
    name: &str,
    program: &Program,
    arguments: &[&str],
    target: Option<f64>,
) -> Result<Vec<Measurement>> {
    let Pair { plain, lazy } = How::BOTH.try_map(|how| setup.program(program, DEBUG, how))?;
    let start = |program: &Path, how| -> Result<Command> {
        let mut command = setup.start(program, how)?;
        command.args(arguments);
        Ok(command)
    };
    let statistics = check(setup, &mut start(&plain, How::Plain)?, &mut start(&lazy, How::Lazy)?)?;
    let usages = by_turns(
        setup.runs(RUNS.0, RUNS.1),
        || setup.run(&mut start(&plain, How::Plain)?),
        || setup.run(&mut start(&lazy, How::Lazy)?),
    )?;
    let line = [&[program.name], arguments].concat().join(" ");
    let [wall, cpu] = measurements(name, &format!("first run of {line}"), &usages);
    Ok(vec![wall.target(target).statistics(statistics), cpu])
}

/// A plain program with the runtime preloaded beside the same without it. `target` is in milliseconds by the clock.
///
/// # Errors
/// The program fails.
pub fn idle(setup: &Setup, name: &str, program: &Program, target: f64) -> Result<Vec<Measurement>> {
    let program = setup.program(program, DEBUG, How::Plain)?;
    let run = |how| setup.run(&mut setup.start(&program, how)?);
    // Unmeasured: brings the files into memory.
    How::BOTH.try_map(run)?;
    let usages = by_turns(setup.runs(101, 15), || run(How::Plain), || run(How::Lazy))?;
    let [wall, cpu] = measurements(name, "plain hello, runtime preloaded", &usages);
    Ok(vec![wall.target(target), cpu])
}

/// Runs both once, unmeasured: brings the files into memory, compares what is printed, and returns the statistics of
/// the lazy one.
fn check(setup: &Setup, plain: &mut Command, lazy: &mut Command) -> Result<Value> {
    let file = setup.directory("start")?.join("statistics");
    let plain = setup.run(plain)?;
    let lazy_output = setup.run(lazy.env("AUTOJIT_STATS", &file))?.stdout;
    ensure!(plain.stdout == lazy_output, "{lazy:?} prints something else than the plain program");
    let json = fs::read(&file).with_context(|| format!("{lazy:?} wrote no statistics"))?;
    let statistics: Value = serde_json::from_slice(&json).context("the statistics are no JSON")?;
    ensure!(statistics["compiled"].as_u64() > Some(0), "{lazy:?} compiled nothing: {statistics}");
    Ok(statistics)
}

/// Both times of the runs.
fn measurements(name: &str, title: &str, usages: &Pair<Vec<Usage>>) -> [Measurement; 2] {
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let wall = usages.summaries(|usage| milliseconds(usage.wall));
    let cpu = usages.summaries(|usage| milliseconds(usage.cpu));
    [
        Measurement::new(name, title, Unit::WallMilliseconds, Comparison::Extra, wall),
        Measurement::new(
            format!("{name}-cpu"),
            format!("{title}, processor time"),
            Unit::CpuMilliseconds,
            Comparison::Extra,
            cpu,
        ),
    ]
}
