//! What the writing of the object cache costs: a first run that keeps its code beside one that keeps nothing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::series::{Pair, by_turns};
use crate::setup::{How, Setup};

/// The processor times of first runs of the lazy program `lazy`: by turns without the cache, which counts as plain, and
/// with one whose directories are there. (By the clock, a run of several hundred milliseconds tells more of what else
/// the machine does.)
///
/// # Errors
/// The program fails, or keeps nothing.
pub fn measure(setup: &Setup, lazy: &Path, arguments: &[String]) -> Result<Pair<Vec<Duration>>> {
    let keeping = || {
        let mut command = setup.start_again(lazy, How::Lazy);
        command.args(arguments);
        command
    };
    let keeping_nothing = || {
        let mut command: Command = keeping();
        command.env("AUTOJIT_DISABLE_OBJECT_CACHE", "On");
        command
    };
    // Makes the directories, and brings the files into memory.
    setup.run(setup.start(lazy, How::Lazy)?.args(arguments))?;
    ensure!(remove_files(&setup.cache())? > 0, "{} keeps nothing", lazy.display());
    by_turns(
        setup.turns(),
        || Ok(setup.run(&mut keeping_nothing())?.cpu),
        || {
            let usage = setup.run(&mut keeping())?;
            ensure!(remove_files(&setup.cache())? > 0, "{} keeps nothing", lazy.display());
            Ok(usage.cpu)
        },
    )
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
