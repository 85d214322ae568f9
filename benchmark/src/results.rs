//! What a run found out, as it is written to JSON and read back by `report`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::machine::Machine;
use crate::series::{Pair, Summary};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The day of the run.
    pub date: String,
    /// autojit's version.
    pub version: String,
    /// Whether it measured fewer times than usual.
    pub quick: bool,
    /// Where it ran.
    pub machine: Machine,
    /// What it measured, in order.
    pub measurements: Vec<Measurement>,
    /// The benchmarks that did not come to an end.
    pub failures: Vec<Failure>,
}

/// A benchmark that did not come to an end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Its name.
    pub name: String,
    /// Why.
    pub message: String,
}

/// What the figures of a measurement are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Seconds of processor time, user and system.
    CpuSeconds,
    /// Milliseconds of processor time, user and system.
    CpuMilliseconds,
    /// Milliseconds by the clock.
    WallMilliseconds,
    /// Bytes of a file.
    Bytes,
    /// KiB of memory.
    Kibibytes,
}

/// How the lazy build is compared with the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Lazy divided by plain.
    Ratio,
    /// Lazy minus plain, in the measurement's unit.
    Extra,
}

/// One quantity of both builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// Its name: that of its benchmark, with an ending if the benchmark measures several.
    pub name: String,
    /// What was measured.
    pub title: String,
    /// What the figures are.
    pub unit: Unit,
    /// The plain build's.
    pub plain: Summary,
    /// The lazy build's.
    pub lazy: Summary,
    /// How they are compared.
    pub comparison: Comparison,
    /// The result of comparing the medians.
    pub value: f64,
    /// The greatest value that is good enough, if one was set.
    pub target: Option<f64>,
    /// What the runtime told of one further lazy run (AUTOJIT_STATS), if there was one.
    pub statistics: Option<Value>,
}

impl Measurement {
    /// Compares the medians of two summaries.
    pub fn new(
        name: impl Into<String>,
        title: impl Into<String>,
        unit: Unit,
        comparison: Comparison,
        pair: Pair<Summary>,
    ) -> Self {
        let Pair { plain, lazy } = pair;
        let value = match comparison {
            Comparison::Ratio => lazy.median / plain.median,
            Comparison::Extra => lazy.median - plain.median,
        };
        let (name, title) = (name.into(), title.into());
        Self { name, title, unit, plain, lazy, comparison, value, target: None, statistics: None }
    }

    /// Sets the target.
    pub fn target(mut self, target: impl Into<Option<f64>>) -> Self {
        self.target = target.into();
        self
    }

    /// Adds what the runtime told.
    pub fn statistics(mut self, statistics: Value) -> Self {
        self.statistics = Some(statistics);
        self
    }

    /// Whether the target is met, if there is one.
    pub fn met(&self) -> Option<bool> {
        self.target.map(|target| self.value <= target)
    }
}

impl Results {
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
        let new = Measurement::new;
        Results {
            date: "2026-01-02".into(),
            version: "0.1.0".into(),
            quick: true,
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
            measurements: vec![
                new("compile", "compile it", Unit::CpuSeconds, Comparison::Ratio, pair(2.0, 1.5, 0.25, 5))
                    .target(0.8),
                new("start", "start it", Unit::WallMilliseconds, Comparison::Extra, pair(1.0, 14.0, 0.5, 7))
                    .target(12.0)
                    .statistics(serde_json::json!({
                        "functions": 9, "compiled": 3, "batches": 2,
                        "compile_ms": 4.5, "link_ms": 0.25, "engine_load_ms": 5.0
                    })),
                new("size", "store it", Unit::Bytes, Comparison::Ratio, pair(2_000_000.0, 1000.0, 0.0, 1)),
            ],
            failures: vec![Failure { name: "steady".into(), message: "it crashed".into() }],
        }
    }

    #[test]
    fn medians_are_compared_with_the_target() {
        let [ratio, extra, untargeted] = example().measurements.try_into().unwrap();
        assert_eq!((ratio.value, ratio.met()), (0.75, Some(true)));
        assert_eq!((extra.value, extra.met()), (13.0, Some(false)));
        assert_eq!((untargeted.value, untargeted.met()), (0.0005, None));
        assert_eq!(extra.clone().target(13.0).met(), Some(true));
    }

    #[test]
    fn one_missed_target_is_a_miss() {
        let mut results = example();
        assert!(results.missed());
        results.measurements.remove(1);
        assert!(!results.missed());
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let text = serde_json::to_string_pretty(&example()).unwrap();
        assert!(text.contains("\"cpu-seconds\"") && text.contains("\"extra\""), "{text}");
        assert_eq!(serde_json::from_str::<Results>(&text).unwrap(), example());
    }
}
