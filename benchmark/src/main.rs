//! Benchmarks: the plain build beside the lazy one, in the same run and by turns.
//!
//! `run` measures (see [`benchmarks`]), prints a table and writes the results as JSON; `report` renders Markdown and a
//! chart from that JSON. Figures go from one to the other through the file only, so that none is ever written by hand.

#![deny(unsafe_code)]

mod arguments;
mod benchmarks;
mod chart;
mod child;
mod machine;
mod memory;
mod render;
mod results;
mod series;
mod setup;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use arguments::{Action, Report, Run};
use results::Results;

/// The program's exit status when it could not do what it was asked for.
const BROKEN: u8 = 2;
/// The program's exit status when a target is missed and --check is given.
const MISSED: u8 = 1;

fn main() -> ExitCode {
    let result = match arguments::parse(std::env::args().skip(1)) {
        Ok(Action::Help) => {
            print!("{}", arguments::HELP);
            Ok(ExitCode::SUCCESS)
        }
        Ok(Action::Run(options)) => run(&options),
        Ok(Action::Report(options)) => report(&options),
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        eprintln!("autojit-benchmark: {error:#}");
        BROKEN.into()
    })
}

fn run(options: &Run) -> Result<ExitCode> {
    let results = benchmarks::run(options)?;
    print!("{}", render::table(&results));
    if let Some(file) = options.results_file(&results.date) {
        write(&file, &(serde_json::to_string_pretty(&results)? + "\n"))?;
    }
    Ok(status(&results, options.check).into())
}

/// The exit status of a run with these results.
fn status(results: &Results, check: bool) -> u8 {
    if !results.failures.is_empty() {
        BROKEN
    } else if check && results.missed() {
        MISSED
    } else {
        0
    }
}

fn report(options: &Report) -> Result<ExitCode> {
    let file = options.results.display();
    let json = std::fs::read(&options.results).with_context(|| format!("cannot read {file}"))?;
    let results: Results = serde_json::from_slice(&json).with_context(|| format!("{file} has no results"))?;
    let markdown = render::markdown(&results);
    if let Some(file) = &options.chart {
        write(file, &chart::svg(&results))?;
    }
    match &options.out {
        Some(out) => write(out, &markdown)?,
        None => print!("{markdown}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, text: &str) -> Result<()> {
    let name = file.display();
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot create the directory of {name}"))?;
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_targets_matter_with_check_only_and_failures_always() {
        let mut results = results::tests::example();
        assert_eq!((status(&results, false), status(&results, true)), (BROKEN, BROKEN));
        results.failures.clear();
        assert_eq!((status(&results, false), status(&results, true)), (0, MISSED));
        results.measurements.retain(|measurement| measurement.met() != Some(false));
        assert_eq!(status(&results, true), 0);
    }
}
