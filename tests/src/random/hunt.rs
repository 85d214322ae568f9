//! Runs many seeds, several at a time, and keeps what differs.
//!
//! A results directory has `done` (one line for each seed that was looked at, so that an interrupted hunt goes on where
//! it was) and a directory for each seed that differs, with the sources, both programs, the report, and `reproduce`:
//! the commands with no more flags and no more lazy files than it takes.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Case, Counts, Generator, Part, Verdict, check, check_seed, commands};

/// What to look at.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// The generator of the programs.
    pub generator: Generator,
    /// The seeds.
    pub seeds: Range<u64>,
    /// How many at a time.
    pub jobs: usize,
    /// The results directory.
    pub results: PathBuf,
}

/// How many seeds came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Summary {
    /// Both builds did the same.
    pub same: u64,
    /// Could not be compared.
    pub skipped: u64,
    /// Differ.
    pub different: u64,
    /// What the runs have told.
    pub counts: Counts,
}

impl Hunt {
    /// Looks at every seed that is not done yet, and tells the summary of all of them.
    pub fn run(&self) -> std::io::Result<Summary> {
        fs::create_dir_all(&self.results)?;
        let path = self.results.join("done");
        let earlier = fs::read_to_string(&path).unwrap_or_default();
        let seen: HashSet<&str> = earlier.lines().filter_map(|line| line.split(' ').next()).collect();
        let done = Mutex::new(OpenOptions::new().create(true).append(true).open(&path)?);
        let next = AtomicU64::new(self.seeds.start);
        std::thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end {
                            return;
                        }
                        let name = format!("{}-{seed}", self.generator.name());
                        if !seen.contains(name.as_str()) {
                            let line = self.look_at(seed, &name);
                            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                            writeln!(done, "{name} {line}").expect("the results directory is writable");
                        }
                    }
                });
            }
        });
        Ok(self.summary(&fs::read_to_string(&path)?))
    }

    /// Checks one seed; returns its line in `done`.
    fn look_at(&self, seed: u64, name: &str) -> String {
        let directory = self.results.join(name);
        fs::create_dir_all(&directory).expect("the results directory is writable");
        let (verdict, case) = check_seed(self.generator, seed, &directory);
        match (verdict, case) {
            (Verdict::Different(report), Some(case)) => {
                let _ = fs::remove_dir_all(&directory);
                let reduced = reduce(&case, &directory);
                // The programs of the reduced build are what stays.
                check(&reduced, &directory);
                let write = |file: &str, text: &str| fs::write(directory.join(file), text);
                write("report", &report).expect("the results directory is writable");
                write("reproduce", &reproduce(&reduced)).expect("the results directory is writable");
                eprintln!("{name} differs: {}", directory.display());
                "different".to_owned()
            }
            (Verdict::Same(Counts { compiled, replaced }), _) => {
                let _ = fs::remove_dir_all(&directory);
                format!("same {compiled} {replaced}")
            }
            (Verdict::Skipped(why) | Verdict::Different(why), _) => {
                let _ = fs::remove_dir_all(&directory);
                let line = why.lines().find(|line| line.contains("error:")).or_else(|| why.lines().next());
                format!("skipped {}", line.unwrap_or_default().chars().take(300).collect::<String>())
            }
        }
    }

    /// The summary of the seeds asked for, whenever they were looked at.
    fn summary(&self, done: &str) -> Summary {
        // A seed that was looked at again counts once.
        let mut ends = BTreeMap::new();
        for line in done.lines() {
            let mut words = line.split(' ');
            let number = words.next().and_then(|name| name.strip_prefix(self.generator.name()));
            let seed = number.and_then(|number| number.strip_prefix('-')?.parse::<u64>().ok());
            if let Some(seed) = seed.filter(|seed| self.seeds.contains(seed)) {
                let end = words.next();
                let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or_default();
                ends.insert(seed, (end, Counts { compiled: number(), replaced: number() }));
            }
        }
        let mut summary = Summary::default();
        for (end, counts) in ends.values() {
            match *end {
                Some("same") => summary.same += 1,
                Some("different") => summary.different += 1,
                _ => summary.skipped += 1,
            }
            if *end == Some("same") {
                summary.counts += *counts;
            }
        }
        summary
    }
}

/// The case with as few flags and lazy files as still differ: each is left out that can be.
fn reduce(case: &Case, directory: &Path) -> Case {
    let differs = |case: &Case| matches!(check(case, &directory.join("reduced")), Verdict::Different(_));
    let mut best = case.clone();
    for index in (0..best.lazy.len()).filter(|index| case.units[*index].part != Part::Header) {
        let mut smaller = best.clone();
        smaller.lazy[index] = false;
        // With no lazy file, that nothing is lazy would be taken for the difference.
        let any = (0..smaller.lazy.len()).any(|i| smaller.lazy[i] && smaller.units[i].part != Part::Header);
        if any && differs(&smaller) {
            best = smaller;
        }
    }
    for index in (0..best.runs.len()).rev() {
        let mut smaller = best.clone();
        smaller.runs = vec![best.runs[index].clone()];
        if differs(&smaller) {
            best = smaller;
            break;
        }
    }
    for index in (0..best.flags.len()).rev() {
        let mut smaller = best.clone();
        smaller.flags.remove(index);
        if differs(&smaller) {
            best = smaller;
        }
    }
    let _ = fs::remove_dir_all(directory.join("reduced"));
    best
}

/// A shell script that builds and runs both programs, to be run beside the sources.
fn reproduce(case: &Case) -> String {
    let mut script = "#!/bin/sh -e\ncd \"$(dirname \"$0\")\"\n".to_owned();
    for how in ["plain", "lazy"] {
        for command in commands(case, how) {
            // Variables that are removed from the environment are not of interest here.
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            let quoted: Vec<_> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
            writeln!(script, "{}", quoted.join(" ")).expect("strings take everything");
        }
    }
    script += "set +e\nplain/program >plain/stdout; echo \"plain: $?\"\n";
    for run in &case.runs {
        let mut run_it = run.mode.command(Path::new("lazy/program"), Path::new("lazy"));
        run_it.envs(run.env.iter().map(|(name, value)| (name, value)));
        let set = run_it.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let words: Vec<_> =
            set.map(|(name, value)| format!("{}='{}'", name.display(), value.display())).collect();
        writeln!(
            script,
            "rm -rf lazy/*cache; {} lazy/program >lazy/stdout; echo \"lazy: $?\"",
            words.join(" ")
        )
        .expect("strings take everything");
        script += "diff plain/stdout lazy/stdout\n";
    }
    script
}
