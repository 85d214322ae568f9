//! The benchmarks, by name: what each measures, and its targets.

mod compile;
mod edit;
mod keep;
mod size;
mod start;
mod steady;

use anyhow::{Result, ensure};

use crate::arguments::Run;
use crate::machine::{Machine, today};
use crate::results::{Failure, Measurement, Results};
use crate::setup::{self, Setup};

/// The levels at which programs are compiled.
const DEBUG: &[&str] = &["-O0", "-g"];
const OPTIMISED: &[&str] = &["-O2", "-g"];

/// One benchmark: its name, and what it does when called with that name.
struct Benchmark {
    name: &'static str,
    measure: fn(&Setup, &str) -> Result<Vec<Measurement>>,
}

const BENCHMARKS: [Benchmark; 27] = [
    Benchmark {
        name: "compile-sqlite-O0",
        measure: |setup, name| compile::measure(setup, name, &sqlite_query(), DEBUG, (9, 2), 0.80),
    },
    Benchmark {
        name: "compile-sqlite-O2",
        measure: |setup, name| compile::measure(setup, name, &sqlite_query(), OPTIMISED, (3, 1), 0.15),
    },
    Benchmark {
        name: "compile-json-O0",
        measure: |setup, name| compile::measure(setup, name, &setup::json(), DEBUG, (9, 2), 0.90),
    },
    Benchmark {
        name: "size-sqlite",
        measure: |setup, name| {
            size::measure(setup, name, &sqlite_query(), size::Targets { object: 0.08, program: 1.6 })
        },
    },
    Benchmark {
        name: "size-json",
        measure: |setup, name| {
            size::measure(setup, name, &setup::json(), size::Targets { object: 0.05, program: 1.0 })
        },
    },
    Benchmark {
        name: "start-hello",
        measure: |setup, name| start::lazy(setup, name, &setup::hello(), &[], Some(12.0)),
    },
    Benchmark {
        name: "start-bzip2-help",
        measure: |setup, name| start::lazy(setup, name, &setup::bzip2(), &["--help"], Some(25.0)),
    },
    Benchmark {
        name: "start-sqlite-version",
        measure: |setup, name| {
            start::lazy(setup, name, &setup::sqlite("sqlite_version", "sqlite_version.c"), &[], Some(60.0))
        },
    },
    Benchmark {
        name: "start-sqlite-query",
        measure: |setup, name| start::lazy(setup, name, &sqlite_query(), &[], None),
    },
    Benchmark {
        name: "start-json",
        measure: |setup, name| start::lazy(setup, name, &setup::json(), &[], None),
    },
    Benchmark {
        name: "steady-bzip2",
        measure: |setup, name| {
            steady::measure(setup, name, &setup::compress_twice(), "bzip2 -1 of 20 MB", 1.02)
        },
    },
    Benchmark {
        name: "steady-sqlite",
        measure: |setup, name| {
            let program = setup::sqlite("sqlite_twice", "sqlite_twice.c");
            steady::measure(setup, name, &program, "SQLite, tables of 400,000 rows", 1.02)
        },
    },
    Benchmark {
        name: "steady-lua",
        measure: |setup, name| steady::measure(setup, name, &setup::lua_twice()?, "a script in Lua", 1.02),
    },
    Benchmark {
        name: "warm-hello",
        measure: |setup, name| start::warm(setup, name, &setup::hello(), &[], Some(0.7), Some(1536.0)),
    },
    Benchmark {
        name: "warm-bzip2-help",
        measure: |setup, name| start::warm(setup, name, &setup::bzip2(), &["--help"], Some(1.0), None),
    },
    Benchmark {
        name: "warm-sqlite-version",
        measure: |setup, name| {
            let program = setup::sqlite("sqlite_version", "sqlite_version.c");
            start::warm(setup, name, &program, &[], Some(1.5), Some(3072.0))
        },
    },
    Benchmark {
        name: "warm-sqlite-query",
        measure: |setup, name| start::warm(setup, name, &sqlite_query(), &[], None, None),
    },
    Benchmark {
        name: "warm-json",
        measure: |setup, name| start::warm(setup, name, &setup::json(), &[], Some(1.5), None),
    },
    Benchmark {
        name: "keep-hello",
        measure: |setup, name| keep::measure(setup, name, &setup::hello(), &[], (51, 9)),
    },
    Benchmark {
        name: "keep-bzip2-help",
        measure: |setup, name| keep::measure(setup, name, &setup::bzip2(), &["--help"], (51, 9)),
    },
    Benchmark {
        name: "keep-sqlite-query",
        measure: |setup, name| keep::measure(setup, name, &sqlite_query(), &[], (15, 3)),
    },
    Benchmark {
        name: "keep-json",
        measure: |setup, name| keep::measure(setup, name, &setup::json(), &[], (15, 3)),
    },
    Benchmark { name: "link-sqlite", measure: |setup, name| edit::link(setup, name, &sqlite_query()) },
    Benchmark { name: "link-json", measure: |setup, name| edit::link(setup, name, &setup::json()) },
    Benchmark {
        name: "edit-sqlite",
        measure: |setup, name| {
            edit::measure(setup, name, &setup::sqlite("sqlite_version", "sqlite_version.c"), "lld")
        },
    },
    Benchmark { name: "edit-json", measure: |setup, name| edit::measure(setup, name, &setup::json(), "lld") },
    Benchmark { name: "idle", measure: |setup, name| start::idle(setup, name, &setup::hello(), 0.3) },
];

fn sqlite_query() -> setup::Program {
    setup::sqlite("sqlite_query", "sqlite_query.c")
}

/// Runs the benchmarks that the options name. One that fails does not keep the others from being run.
///
/// # Errors
/// No benchmark has such a name, or nothing can be measured here.
pub fn run(options: &Run) -> Result<Results> {
    check_names(&options.only)?;
    let date = options.date.clone().map_or_else(today, Ok)?;
    let machine = Machine::this()?;
    let setup = Setup::new(options)?;
    let (mut measurements, mut failures) = (Vec::new(), Vec::new());
    for benchmark in BENCHMARKS.iter().filter(|benchmark| options.wants(benchmark.name)) {
        eprintln!("{} ...", benchmark.name);
        match (benchmark.measure)(&setup, benchmark.name) {
            Ok(found) => measurements.extend(found),
            Err(error) => {
                failures.push(Failure { name: benchmark.name.to_owned(), message: format!("{error:#}") });
            }
        }
    }
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Ok(Results { date, version, quick: options.quick, machine, measurements, failures })
}

fn check_names(only: &[String]) -> Result<()> {
    for name in only {
        ensure!(
            BENCHMARKS.iter().any(|benchmark| benchmark.name.starts_with(name.as_str())),
            "no benchmark is named '{name}'; there are {}",
            BENCHMARKS.map(|benchmark| benchmark.name).join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_before_anything_is_measured() {
        assert!(check_names(&["start".into(), "idle".into()]).is_ok());
        let message = check_names(&["start".into(), "stop".into()]).unwrap_err().to_string();
        assert!(message.contains("'stop'") && message.contains("steady-bzip2"), "{message}");
    }

    #[test]
    fn no_two_have_the_same_name() {
        let mut names = BENCHMARKS.map(|benchmark| benchmark.name);
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
    }
}
