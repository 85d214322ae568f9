//! What the writing of the object cache costs: a first run that keeps its code beside one that keeps nothing.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::DEBUG;
use crate::results::{Comparison, Measurement, Unit};
use crate::series::by_turns;
use crate::setup::{How, Program, Setup};

/// Runs the lazy build with `arguments` so often (usually, quickly), with nothing cached: by turns without the cache,
/// which counts as plain, and with one whose directories are there. The target is for the ratio of processor times: by
/// the clock, a run of several hundred milliseconds tells more of what else the machine does.
///
/// # Errors
/// The program fails, or keeps nothing.
pub fn measure(
    setup: &Setup,
    name: &str,
    program: &Program,
    arguments: &[&str],
    runs: (usize, usize),
) -> Result<Vec<Measurement>> {
    let lazy = setup.program(program, DEBUG, How::Lazy)?;
    let keeping = || {
        let mut command = setup.start_again(&lazy, How::Lazy);
        command.args(arguments);
        command
    };
    let keeping_nothing = || {
        let mut command: Command = keeping();
        command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "On");
        command
    };
    // Makes the directories, and brings the files into memory.
    setup.run(setup.start(&lazy, How::Lazy)?.args(arguments))?;
    ensure!(remove_files(&setup.cache())? > 0, "{name} keeps nothing");
    let usages = by_turns(
        setup.runs(runs.0, runs.1),
        || setup.run(&mut keeping_nothing()),
        || {
            let usage = setup.run(&mut keeping())?;
            ensure!(remove_files(&setup.cache())? > 0, "{name} keeps nothing");
            Ok(usage)
        },
    )?;
    let line = [&[program.name], arguments].concat().join(" ");
    let title = |what| format!("first run of {line}, with the cache beside without{what}");
    let milliseconds = |time: std::time::Duration| time.as_secs_f64() * 1e3;
    let cpu = usages.summaries(|usage| milliseconds(usage.cpu));
    let wall = usages.summaries(|usage| milliseconds(usage.wall));
    let measurement =
        |name: String, title, unit, pair| Measurement::new(name, title, unit, Comparison::Ratio, pair);
    Ok(vec![
        measurement(name.into(), title(", processor time"), Unit::CpuMilliseconds, cpu).target(1.05),
        measurement(format!("{name}-wall"), title(""), Unit::WallMilliseconds, wall),
    ])
}

/// Removes all files below `directory`, and returns their number.
fn remove_files(directory: &Path) -> Result<usize> {
    let mut files = 0;
    for entry in fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files += remove_files(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
            files += 1;
        }
    }
    Ok(files)
}
