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

/// A later run of a lazy program, whose code is in the cache, beside the plain one. `time` is in milliseconds by the
/// clock, `memory` in KiB.
///
/// # Errors
/// A program fails, prints something else than the other, or compiles anything.
pub fn warm(
    setup: &Setup,
    name: &str,
    program: &Program,
    arguments: &[&str],
    time: Option<f64>,
    memory: Option<f64>,
) -> Result<Vec<Measurement>> {
    let programs = How::BOTH.try_map(|how| setup.program(program, DEBUG, how))?;
    let Pair { plain, lazy } = &programs;
    let again = |program: &Path, how| {
        let mut command = setup.start_again(program, how);
        command.args(arguments);
        command
    };
    // Fills the cache.
    let mut first = setup.start(lazy, How::Lazy)?;
    check(setup, &mut again(plain, How::Plain), first.args(arguments))?;
    let statistics = told(setup, &mut again(lazy, How::Lazy))?;
    ensure!(statistics["compiled"].as_u64() == Some(0), "{name} is not warm: {statistics}");
    ensure!(statistics["from_cache"].as_u64() > Some(0), "{name} takes nothing from the cache: {statistics}");
    let usages = by_turns(
        setup.runs(101, 15),
        || setup.run(&mut again(plain, How::Plain)),
        || setup.run(&mut again(lazy, How::Lazy)),
    )?;
    let line = [&[program.name], arguments].concat().join(" ");
    let title = format!("later run of {line}");
    let [wall, cpu] = measurements(name, &title, &usages);
    let memories = by_turns(
        setup.runs(RUNS.1, 3),
        || setup.memory(&mut again(plain, How::Plain)),
        || setup.memory(&mut again(lazy, How::Lazy)),
    )?;
    let memory_measurement = |ending: &str, what: &str, quantity: fn(&crate::memory::Memory) -> f64| {
        let (name, title) = (format!("{name}-{ending}"), format!("{title}, {what}"));
        Measurement::new(name, title, Unit::Kibibytes, Comparison::Extra, memories.summaries(quantity))
    };
    Ok(vec![
        wall.target(time).statistics(statistics),
        cpu,
        memory_measurement("rss", "resident memory at most", |memory| memory.peak).target(memory),
        memory_measurement("own", "memory of its own at the end", |memory| memory.own),
    ])
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
    let plain = setup.run(plain)?;
    let statistics = told(setup, lazy)?;
    let lazy_output = setup.run(lazy)?.stdout;
    ensure!(plain.stdout == lazy_output, "{lazy:?} prints something else than the plain program");
    ensure!(statistics["compiled"].as_u64() > Some(0), "{lazy:?} compiled nothing: {statistics}");
    Ok(statistics)
}

/// Runs a lazy program once, and returns its statistics, without what is of this machine alone.
fn told(setup: &Setup, lazy: &mut Command) -> Result<Value> {
    let file = setup.directory("start")?.join("statistics");
    setup.run(lazy.env("AUTOJIT_STATS", &file))?;
    lazy.env_remove("AUTOJIT_STATS");
    let json = fs::read(&file).with_context(|| format!("{lazy:?} wrote no statistics"))?;
    let mut statistics: Value = serde_json::from_slice(&json).context("the statistics are no JSON")?;
    if let Some(fields) = statistics.as_object_mut() {
        fields.remove("program");
        fields.remove("pid");
    }
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
