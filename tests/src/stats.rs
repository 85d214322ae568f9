//! What a program's runtime wrote to AUTOJIT_STATS: one JSON object.

use std::path::Path;

use serde_json::Value;

use crate::directives::{Condition, Refusals};

/// The numbers that every object must have.
const NUMBERS: [&str; 23] = [
    "pid",
    "modules",
    "functions",
    "bound",
    "compiled",
    "baseline",
    "baseline_ms",
    "optimized",
    "tier_requests",
    "replaced_on_stack",
    "from_cache",
    "same_content",
    "wanted_again",
    "cache_files",
    "cached",
    "from_daemon",
    "batches",
    "compile_ms",
    "link_ms",
    "engine_load_ms",
    "callsites_rewritten",
    "resolver_calls",
    "code_bytes",
];

/// The statistics of one process.
#[derive(Debug)]
pub struct Stats(Value);

impl std::fmt::Display for Stats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Stats {
    /// Reads the file of one process. Panics if it is missing or not as promised.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| {
            panic!("no statistics, so the program was not lazy: {}: {error}", path.display())
        });
        Self::parse(&text)
    }

    /// Parses the text of one process. Panics if it is not one object with all keys.
    pub fn parse(text: &str) -> Self {
        let value: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in statistics: {text}"));
        for key in NUMBERS {
            assert!(value[key].is_number(), "no number '{key}' in statistics: {text}");
        }
        for key in ["program", "mode"] {
            assert!(value[key].is_string(), "no string '{key}' in statistics: {text}");
        }
        Self(value)
    }

    /// A number.
    pub fn number(&self, key: &str) -> f64 {
        self.0[key].as_f64().unwrap_or_else(|| panic!("no number '{key}' in statistics: {}", self.0))
    }

    /// A string.
    pub fn string(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_else(|| panic!("no string '{key}' in statistics: {}", self.0))
    }

    /// Checks that the program had lazy functions and compiled some of them in the process itself, by either compiler.
    pub fn assert_lazy(&self) {
        let [functions, bound, batches, calls] =
            ["functions", "bound", "batches", "resolver_calls"].map(|key| self.number(key));
        let compiled = self.compiled();
        assert!(functions > 0.0, "nothing in the program is lazy: {}", self.0);
        assert!(compiled > 0.0 && calls > 0.0, "nothing was compiled: {}", self.0);
        assert!(bound <= functions && compiled <= functions, "more code than functions: {}", self.0);
        assert!(batches <= self.number("compiled"), "a batch compiles at least one function: {}", self.0);
        assert!(self.number("code_bytes") > 0.0, "code takes room: {}", self.0);
        assert_eq!(self.string("mode"), "inprocess");
        assert_eq!(self.number("from_daemon"), 0.0);
    }

    /// The same where the engine compiles everything.
    pub fn assert_by_llvm(&self) {
        self.assert_lazy();
        assert_eq!(self.number("baseline"), 0.0, "not all of it is LLVM's: {}", self.0);
        assert!(self.number("batches") > 0.0 && self.refused().is_empty(), "{}", self.0);
    }

    /// Checks that the program's functions came from the object cache, all but those that the earlier runs did not call.
    pub fn assert_warm(&self) {
        let [functions, bound, cached] = ["functions", "bound", "from_cache"].map(|key| self.number(key));
        let compiled = self.compiled();
        assert!(cached > 0.0, "nothing came from the cache: {}", self.0);
        assert!(compiled + cached <= functions, "more code than functions: {}", self.0);
        assert!(bound <= functions && compiled < cached, "most of it was compiled again: {}", self.0);
        assert_eq!(
            self.number("compiled") > 0.0,
            self.number("engine_load_ms") > 0.0,
            "the engine is for compiling: {}",
            self.0
        );
        assert_eq!(self.string("mode"), "inprocess");
        assert_eq!(self.number("from_daemon"), 0.0);
    }

    /// How many functions the process has compiled itself when they were first called, by either compiler.
    pub fn compiled(&self) -> f64 {
        (self.number("compiled") - self.number("optimized")).max(0.0) + self.number("baseline")
    }

    /// What the baseline compiler left to the engine: reasons, and how often each.
    pub fn refused(&self) -> Vec<(String, f64)> {
        let reasons = self.0["refused"].as_object().expect("it is there");
        let number = |count: &Value| count.as_f64().expect("a number for each reason");
        reasons.iter().map(|(reason, count)| (reason.clone(), number(count))).collect()
    }

    /// Checks that the baseline compiler has compiled the lazy functions that ran, and the engine what it refused.
    pub fn assert_baseline(&self, refusals: Refusals) {
        let [functions, bound, baseline, compiled] =
            ["functions", "bound", "baseline", "compiled"].map(|key| self.number(key));
        assert!(
            bound <= functions && baseline + compiled <= functions,
            "more code than functions: {}",
            self.0
        );
        let refused: f64 = self.refused().iter().map(|(_, count)| count).sum();
        assert!(baseline + refused > 0.0, "it was not asked: {}", self.0);
        match refusals {
            Refusals::None => assert_eq!(refused, 0.0, "the baseline compiler refused functions: {}", self.0),
            Refusals::Some => {
                assert!(refused > 0.0, "nothing was refused: a stale 'refuses:' directive? {}", self.0);
            }
            Refusals::Unknown => {}
        }
        assert!(
            refused == 0.0 || self.number("engine_load_ms") > 0.0,
            "the rest is for the engine: {}",
            self.0
        );
        assert!(compiled == 0.0 || refused > 0.0, "the engine was not asked: {}", self.0);
        assert_eq!((self.number("from_cache"), self.number("from_daemon")), (0.0, 0.0));
    }

    /// Checks that the baseline compiler has compiled functions of an optimised program, and the engine what replaced them.
    pub fn assert_tiers(&self) {
        let [functions, bound, baseline, optimized, requests] =
            ["functions", "bound", "baseline", "optimized", "tier_requests"].map(|key| self.number(key));
        let refused: f64 = self.refused().iter().map(|(_, count)| count).sum();
        assert!(bound <= functions && baseline <= functions, "more code than functions: {}", self.0);
        assert!(baseline + refused > 0.0, "it was not asked: {}", self.0);
        assert!(optimized <= baseline && requests <= baseline, "more was replaced than there is: {}", self.0);
        assert_eq!(optimized > 0.0, baseline > 0.0, "nothing was replaced: {}", self.0);
        // What it has written itself, libraries that are opened again have from the cache.
        assert!(self.number("from_cache") == 0.0 || self.number("cached") > 0.0, "{}", self.0);
        assert_eq!(self.number("from_daemon"), 0.0);
    }

    /// Checks that code which has replaced other code in earlier runs came from the cache.
    pub fn assert_warm_tiers(&self) {
        let [functions, bound, compiled, baseline, optimized, cached] =
            ["functions", "bound", "compiled", "baseline", "optimized", "from_cache"]
                .map(|key| self.number(key));
        assert!(cached > 0.0, "nothing came from the cache: {}", self.0);
        // Of a function there may be code that counts, of the image pack, and what has replaced it.
        assert!(
            bound <= functions && baseline + cached <= 2.0 * functions,
            "more code than functions: {}",
            self.0
        );
        // What did not run often enough, or only in another thread while one was replacing code, is kept as it is.
        assert!(
            optimized <= baseline + cached && compiled <= functions,
            "more was replaced than there is: {}",
            self.0
        );
        assert_eq!(self.number("from_daemon"), 0.0);
    }

    /// Checks that the baseline compiler has compiled the functions of a static program, and autojitd the rest, and what has
    /// replaced them.
    pub fn assert_static_baseline(&self) {
        let [baseline, received, optimized] =
            ["baseline", "from_daemon", "optimized"].map(|key| self.number(key));
        let refused: f64 = self.refused().iter().map(|(_, count)| count).sum();
        assert!(baseline + refused > 0.0, "it was not asked: {}", self.0);
        assert_eq!(received > 0.0, refused + optimized > 0.0, "autojitd is for the rest: {}", self.0);
        assert_eq!((self.number("compiled"), self.number("engine_load_ms")), (0.0, 0.0), "{}", self.0);
    }

    /// Checks that the program had lazy functions, and that autojitd has compiled what it called.
    pub fn assert_from_daemon(&self) {
        let [functions, bound, received, batches, calls] =
            ["functions", "bound", "from_daemon", "batches", "resolver_calls"].map(|key| self.number(key));
        assert!(functions > 0.0, "nothing in the program is lazy: {}", self.0);
        assert!(received > 0.0 && batches > 0.0 && calls > 0.0, "nothing was compiled: {}", self.0);
        assert!(bound <= functions && received <= functions, "more code than functions: {}", self.0);
        assert_eq!((self.number("compiled"), self.number("engine_load_ms")), (0.0, 0.0), "{}", self.0);
        assert_eq!(self.string("mode"), "daemon");
    }

    /// Checks a program's own conditions.
    pub fn assert_conditions(&self, conditions: &[Condition]) {
        for condition in conditions {
            let value = condition.key.split('+').map(|key| self.number(key)).sum();
            assert!(condition.holds(value), "{condition:?} does not hold: {}", self.0);
        }
    }
}
