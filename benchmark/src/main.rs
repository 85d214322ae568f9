//! Benchmarks: the plain build beside the lazy one, in the same run and by turns.
//!
//! The results are a table: [`programs`] at each level are its rows, [`columns`] what is measured of them. `run` measures
//! ([`measure`], [`builds`]), prints the table and writes the results as JSON; `report` renders Markdown, a chart and the
//! README's table from that JSON. No figure is ever written by hand.

#![deny(unsafe_code)]

mod arguments;
mod builds;
mod chart;
mod child;
mod columns;
mod daemon;
mod edits;
mod keep;
mod machine;
mod measure;
mod memory;
mod passes;
mod programs;
mod refused;
mod render;
mod results;
mod run;
mod series;
mod setup;
mod tiers;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use autojit_tests::scratch::repository;

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
        Ok(Action::Edits(options)) => edits::run(&options)
            .map(|missed| if missed && options.check { MISSED.into() } else { ExitCode::SUCCESS }),
        Ok(Action::Report(options)) => report(&options),
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        eprintln!("autojit-benchmark: {error:#}");
        BROKEN.into()
    })
}

fn run(options: &Run) -> Result<ExitCode> {
    let out = options.out.clone().map_or_else(last_results, Ok)?;
    let json = |results: &Results| Ok::<_, anyhow::Error>(serde_json::to_string_pretty(results)? + "\n");
    let results = run::run(options, |results| write(&out, &json(results)?))?;
    print!("{}", render::table(&results));
    match (options.publish, results.failures.is_empty()) {
        (true, true) => publish(&json(&results)?, repository())?,
        (true, false) => eprintln!(
            "autojit-benchmark: not published, as not everything came to an end; the rest is in {}",
            out.display()
        ),
        (false, _) => {}
    }
    Ok(status(&results, options.check).into())
}

/// Where the results of the last run are, if no other place was named for them: beside the executable.
fn last_results() -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    Ok(executable.with_file_name("autojit-benchmark.json"))
}

/// Writes the results `json` and all that is drawn from them to their places in the source tree `root`.
fn publish(json: &str, root: &Path) -> Result<()> {
    let [results, markdown, chart] =
        ["json", "md", "svg"].map(|kind| root.join("benchmark/results/latest").with_extension(kind));
    write(&results, json)?;
    let readme = Some(root.join("README.md"));
    report(&Report { results: vec![results], json: None, out: Some(markdown), chart: Some(chart), readme })?;
    Ok(())
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
    let read = |file: &PathBuf| -> Result<Results> {
        let name = file.display();
        let json = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
        serde_json::from_slice(&json).with_context(|| format!("{name} has no results"))
    };
    let (first, later) = options.results.split_first().context("no results")?;
    let mut results = read(first)?;
    for file in later {
        let context = || format!("{} and {} cannot be put together", first.display(), file.display());
        results.add(read(file)?).with_context(context)?;
    }
    if let Some(file) = &options.json {
        write(file, &(serde_json::to_string_pretty(&results)? + "\n"))?;
    }
    let markdown = render::markdown(&results);
    if let Some(file) = &options.chart {
        write(file, &chart::svg(&results))?;
    }
    if let Some(file) = &options.readme {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        write(file, &render::readme(&text, &results).with_context(|| file.display().to_string())?)?;
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
    fn what_is_published_has_its_places() {
        // The executable lies in <target>/<profile>/deps.
        let executable = std::env::current_exe().unwrap();
        let root = executable.ancestors().nth(3).unwrap().join("tmp/autojit-benchmark-published");
        write(&root.join("README.md"), "<!-- benchmark -->\n<!-- /benchmark -->\n").unwrap();
        let json = serde_json::to_string(&results::tests::example()).unwrap();
        publish(&json, &root).unwrap();
        for (file, part) in [
            ("README.md", "| tool -O0 | 0.75 | 0.00 | 14 | 3 of 9 |"),
            ("benchmark/results/latest.json", "\"column\":\"first\""),
            ("benchmark/results/latest.md", "| tool-O0-first | the first run |"),
            ("benchmark/results/latest.svg", "tool -O0</text>"),
        ] {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            assert!(text.contains(part), "no '{part}' in {file}:\n{text}");
        }
        let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
        assert!(render::readme(&readme, &results::tests::example()).is_ok(), "the project's has the marks");
    }

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
