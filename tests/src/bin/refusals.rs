//! `scripts/refusals`: how many functions that run the baseline compiler leaves to the engine, and why, over all test
//! programs.
//!
//! Usage: `refusals LEVEL…`, with the names of the tests' levels (`o0_g`, `o2`, …). Programs in Rust run at `o0_g` and `o2`.
//! Exits with 1 if it leaves too many: more than 1 in 100 of a build that is not optimised, 3 in 100 of another one.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};

use autojit_tests::directives::{self, Level};
use autojit_tests::program::{Mode, statistics};
use autojit_tests::scratch::repository;
use autojit_tests::stats::Stats;

/// Makes the process one that runs a single program.
const ONE: &str = "--one";
/// Programs that are named for each reason.
const EXAMPLES: usize = 40;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // A process for each program: what cannot be built or run at a level ends it.
    if let [first, directory, name] = &words[..]
        && first == ONE
        && let Some(level) = level(name)
    {
        if let Some(stats) = statistics(Path::new(directory), level, Mode::Baseline) {
            println!("{stats}");
        }
        return ExitCode::SUCCESS;
    }
    let levels: Vec<Level> = words.iter().filter_map(|name| level(name)).collect();
    if levels.is_empty() || levels.len() < words.len() {
        eprintln!("usage: refusals LEVEL…, as in o0_g o1 o2 o3 os");
        return ExitCode::from(2);
    }
    let few = levels.into_iter().filter(|level| !table(*level)).count() == 0;
    if few { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many of 100 functions may be refused.
fn limit(level: Level) -> f64 {
    if level.name().starts_with("o0") { 1.0 } else { 3.0 }
}

fn level(name: &str) -> Option<Level> {
    Level::every().into_iter().find(|level| level.name() == name)
}

/// The statistics of one program, from a process of its own.
fn one(directory: &Path, level: Level) -> Option<Stats> {
    let own = std::env::current_exe().expect("a process knows its executable");
    let output = Command::new(own).arg(ONE).arg(directory).arg(level.name()).output().expect("it can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    (output.status.success() && !text.trim().is_empty()).then(|| Stats::parse(&text))
}

/// Prints the table of a level. Whether few functions were refused.
fn table(level: Level) -> bool {
    let mut all: Vec<_> = std::fs::read_dir(repository().join("tests/sources"))
        .expect("the test programs are there")
        .map(|entry| entry.expect("it is readable").path())
        .collect();
    all.sort();
    let rust = matches!(level.name().as_str(), "o0_g" | "o2");
    let mut reasons: BTreeMap<String, (f64, Vec<String>)> = BTreeMap::new();
    let (mut programs, mut left_out, mut compiled) = (0, Vec::new(), 0.0);
    for directory in &all {
        let program = directives::read(directory).unwrap_or_else(|error| panic!("{error}"));
        if program.is_rust() && !rust {
            continue;
        }
        let Some(stats) = one(directory, level) else {
            left_out.push(program.name);
            continue;
        };
        programs += 1;
        compiled += stats.number("baseline");
        for (reason, count) in stats.refused() {
            let entry = reasons.entry(reason).or_default();
            entry.0 += count;
            entry.1.push(program.name.clone());
        }
    }
    let refused: f64 = reasons.values().map(|(count, _)| count).sum();
    let share = 100.0 * refused / (compiled + refused).max(1.0);
    println!(
        "{}: {programs} programs, {} functions ran, {refused} refused ({share:.2} %; at most {})",
        level.name(),
        compiled + refused,
        limit(level)
    );
    let mut rows: Vec<_> = reasons.into_iter().collect();
    rows.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for (reason, (count, names)) in rows {
        let examples: Vec<_> = names.iter().take(EXAMPLES).map(String::as_str).collect();
        println!("  {count:6}  {reason}: {}", examples.join(", "));
    }
    println!("  without statistics: {}", left_out.join(", "));
    // Without programs nothing was shown.
    programs > 0 && share <= limit(level)
}
