//! A run: the wanted rows one after another. What is measured is written down after each, so that a run that fails in
//! places, or does not come to its end, has not been in vain.

use anyhow::{Result, ensure};

use crate::arguments::Run;
use crate::columns::Column;
use crate::machine::{Machine, today};
use crate::measure;
use crate::programs::{self, Level, Program};
use crate::results::{Results, name};
use crate::setup::Setup;

/// Measures what the options name; has `keep` write down what there is after each row.
///
/// # Errors
/// Nothing has such a name, nothing can be measured here, or `keep` fails.
pub fn run(options: &Run, mut keep: impl FnMut(&Results) -> Result<()>) -> Result<Results> {
    let programs = programs::all()?;
    check_names(&programs, &options.only)?;
    let date = options.date.clone().map_or_else(today, Ok)?;
    let machine = Machine::this()?;
    let setup = Setup::new(options)?;
    let titles = programs.iter().map(|program| (program.name.to_owned(), program.title.to_owned())).collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let (measurements, failures) = (Vec::new(), Vec::new());
    let mut results =
        Results { date, version, quick: options.quick, runs: 1, machine, titles, measurements, failures };
    // The level that most targets are for comes first.
    for level in Level::ALL {
        for program in programs.iter().filter(|program| program.levels.contains(&level)) {
            let wants =
                |column| program.has(level, column) && options.wants(&name(program.name, level, column));
            if !Column::all().any(wants) {
                continue;
            }
            eprintln!("{}-{} ...", program.name, level.name());
            let (measurements, failures) = measure::row(&setup, program, level, wants);
            for failure in &failures {
                eprintln!("autojit-benchmark: {}: {}", failure.name, failure.message);
            }
            results.measurements.extend(measurements);
            results.failures.extend(failures);
            keep(&results)?;
        }
    }
    Ok(results)
}

fn check_names(programs: &[Program], only: &[String]) -> Result<()> {
    let mut names = Vec::new();
    for program in programs {
        for level in program.levels {
            let columns = Column::all().filter(|column| program.has(*level, *column));
            names.extend(columns.map(|column| name(program.name, *level, column)));
        }
    }
    for words in only {
        let one = Run { only: vec![words.clone()], ..Run::default() };
        ensure!(
            names.iter().any(|name| one.wants(name)),
            "no measurement has '{words}' in its name; programs are {}, columns {}",
            programs.iter().map(|program| program.name).collect::<Vec<_>>().join(", "),
            Column::all().map(Column::name).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_before_anything_is_measured() {
        let programs = programs::all().unwrap();
        assert!(
            check_names(&programs, &["first".into(), "json-O2".into(), "hello-c-O0-idle".into()]).is_ok()
        );
        for wrong in ["stop", "sqlite-version-O2", "json-O0-idle"] {
            let message = check_names(&programs, &[wrong.into()]).unwrap_err().to_string();
            assert!(message.contains(&format!("'{wrong}'")) && message.contains("first-rss"), "{message}");
        }
    }
}
