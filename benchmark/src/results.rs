//! What a run found out, as it is written to JSON and read back by `report`.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::columns::{Column, Comparison};
use crate::machine::Machine;
use crate::programs::Level;
use crate::series::{Pair, Summary};

/// A whole run, or several put together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The day of the run.
    pub date: String,
    /// autojit's version.
    pub version: String,
    /// Whether it measured fewer times than usual.
    pub quick: bool,
    /// How many runs these are of; of what was measured in several, the last counts.
    #[serde(default = "one")]
    pub runs: u32,
    /// Where it ran.
    pub machine: Machine,
    /// What its programs are and do, by name.
    pub titles: BTreeMap<String, String>,
    /// What it measured, in order.
    pub measurements: Vec<Measurement>,
    /// The benchmarks that did not come to an end.
    pub failures: Vec<Failure>,
}

/// What files of before there was such a number are of.
fn one() -> u32 {
    1
}

/// A benchmark that did not come to an end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// Why.
    pub message: String,
}

/// One quantity of both builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The program's name.
    pub program: String,
    /// The level that it was built at.
    pub level: Level,
    /// What was measured.
    pub column: Column,
    /// The plain build's.
    pub plain: Summary,
    /// The lazy build's.
    pub lazy: Summary,
    /// The greatest value that is good enough, if one was set.
    pub target: Option<f64>,
    /// What the runtime told of one further lazy run (AUTOJIT_STATS), if there was one.
    pub statistics: Option<Value>,
}

impl Measurement {
    /// One without statistics.
    pub fn new(
        program: impl Into<String>,
        level: Level,
        column: Column,
        summaries: Pair<Summary>,
        target: Option<f64>,
    ) -> Self {
        let Pair { plain, lazy } = summaries;
        Self { program: program.into(), level, column, plain, lazy, target, statistics: None }
    }

    /// `program-level-column`
    pub fn name(&self) -> String {
        name(&self.program, self.level, self.column)
    }

    /// Lazy divided by plain.
    pub fn ratio(&self) -> f64 {
        self.lazy.median / self.plain.median
    }

    /// The medians, compared as the column's targets are set.
    pub fn value(&self) -> f64 {
        match self.column.comparison() {
            Comparison::Ratio => self.ratio(),
            Comparison::Extra => self.lazy.median - self.plain.median,
        }
    }

    /// Whether the target is met, if there is one.
    pub fn met(&self) -> Option<bool> {
        self.target.map(|target| self.value() <= target)
    }
}

/// The name of a measurement.
pub fn name(program: &str, level: Level, column: Column) -> String {
    format!("{program}-{}-{}", level.name(), column.name())
}

impl Results {
    /// The rows of the table, in order: the measurements of one program at one level.
    pub fn rows(&self) -> impl Iterator<Item = &[Measurement]> {
        self.measurements.chunk_by(|a, b| (&a.program, a.level) == (&b.program, b.level))
    }

    /// Puts the results of a later run, of other or the same measurements, to these.
    ///
    /// # Errors
    /// It ran on another machine, with other tools or another autojit, or measured in another way.
    pub fn add(&mut self, later: Self) -> Result<()> {
        // The load is of the moment.
        let machine = Machine { load: self.machine.load, ..later.machine.clone() };
        ensure!(
            machine == self.machine && later.version == self.version && later.quick == self.quick,
            "they are of another machine or autojit, or one run was quick"
        );
        let same = |one: &Measurement, other: &Measurement| one.name() == other.name();
        self.measurements.retain(|old| !later.measurements.iter().any(|new| same(new, old)));
        self.failures.retain(|failure| !later.measurements.iter().any(|new| new.name() == failure.name));
        self.measurements.extend(later.measurements);
        self.failures.extend(later.failures);
        self.titles.extend(later.titles);
        self.date = later.date;
        self.runs += later.runs;
        // Rows in the order in which they came first, columns in theirs.
        let mut rows: Vec<(String, Level)> = Vec::new();
        for measurement in &self.measurements {
            let row = (measurement.program.clone(), measurement.level);
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        self.measurements.sort_by_key(|measurement| {
            let place =
                rows.iter().position(|row| (&row.0, row.1) == (&measurement.program, measurement.level));
            (place, measurement.column as u8)
        });
        Ok(())
    }

    /// Whether any target is missed.
    pub fn missed(&self) -> bool {
        self.measurements.iter().any(|measurement| measurement.met() == Some(false))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Results with a met target, a missed one, none, and a failure.
    pub fn example() -> Results {
        let summary = |median: f64, spread: f64, runs| Summary {
            median,
            min: median - spread,
            max: median + spread,
            runs,
        };
        let pair = |plain, lazy, spread, runs| Pair {
            plain: summary(plain, spread, runs),
            lazy: summary(lazy, spread, runs),
        };
        let new = |column, pair, target| Measurement::new("tool", Level::O0, column, pair, target);
        let first = Measurement {
            statistics: Some(serde_json::json!({
                "functions": 9, "compiled": 3, "batches": 2,
                "compile_ms": 4.5, "link_ms": 0.25, "engine_load_ms": 5.0
            })),
            ..new(Column::First, pair(1.0, 14.0, 0.5, 7), Some(12.0))
        };
        Results {
            date: "2026-01-02".into(),
            version: "0.1.0".into(),
            quick: true,
            runs: 1,
            machine: Machine {
                cpu: "A processor".into(),
                cores: 2,
                memory_mib: 4096,
                kernel: "6.1.0".into(),
                load: 0.25,
                clang: "clang 22.1.8".into(),
                rustc: "rustc 1.95.0".into(),
                llvm: "22.1.8".into(),
            },
            titles: [("tool".to_owned(), "a tool".to_owned())].into(),
            measurements: vec![
                new(Column::Compile, pair(2.0, 1.5, 0.25, 5), Some(0.8)),
                new(Column::Program, pair(2_000_000.0, 1000.0, 0.0, 1), None),
                first,
            ],
            failures: vec![Failure { name: "tool-O2".into(), message: "it crashed".into() }],
        }
    }

    #[test]
    fn medians_are_compared_with_the_target() {
        let [ratio, untargeted, extra] = example().measurements.try_into().unwrap();
        assert_eq!(
            (ratio.name().as_str(), ratio.value(), ratio.met()),
            ("tool-O0-compile", 0.75, Some(true))
        );
        assert_eq!((extra.value(), extra.ratio(), extra.met()), (13.0, 14.0, Some(false)));
        assert_eq!((untargeted.value(), untargeted.met()), (0.0005, None));
        assert_eq!(Measurement { target: Some(13.0), ..extra }.met(), Some(true));
    }

    #[test]
    fn one_missed_target_is_a_miss() {
        let mut results = example();
        assert!(results.missed());
        results.measurements.remove(2);
        assert!(!results.missed());
    }

    #[test]
    fn later_parts_count() {
        let mut all = example();
        let mut later = example();
        later.machine.load = 7.0;
        later.measurements.retain(|measurement| measurement.column == Column::Program);
        later.measurements[0].lazy.median = 5.0;
        let more = Measurement { program: "other".into(), level: Level::O2, ..later.measurements[0].clone() };
        later.measurements.push(more);
        later.failures.clear();
        all.add(later.clone()).unwrap();
        let names: Vec<_> = all.measurements.iter().map(Measurement::name).collect();
        assert_eq!(names, ["tool-O0-compile", "tool-O0-program", "tool-O0-first", "other-O2-program"]);
        assert_eq!((all.measurements[1].lazy.median, all.failures.len(), all.runs), (5.0, 1, 2));
        for change in [
            |results: &mut Results| results.machine.cores = 3,
            |results: &mut Results| results.quick = false,
            |results: &mut Results| results.version = "0.0.1".into(),
        ] {
            let mut other = later.clone();
            change(&mut other);
            assert!(all.add(other).is_err());
        }
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let text = serde_json::to_string_pretty(&example()).unwrap();
        assert!(text.contains("\"level\": \"O0\"") && text.contains("\"column\": \"first\""), "{text}");
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), example());
    }
}
