//! Measures a row of the table: the wanted columns of one program at one level, plain and lazy by turns.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use autojit_tests::run::by_llvm;
use serde_json::Value;

use crate::builds::{Build, size};
use crate::columns::Column;
use crate::passes::Passes;
use crate::programs::{Level, Program};
use crate::results::{Failure, Measurement, name};
use crate::series::{Pair, Summary, Turns, by_turns};
use crate::setup::{How, Setup, create_empty};
use crate::{daemon, keep, tiers};

/// A row, as far as it is measured.
struct Row<'a> {
    setup: &'a Setup,
    program: &'a Program,
    level: Level,
    builds: Pair<Build<'a>>,
    measurements: Vec<Measurement>,
    failures: Vec<Failure>,
}

/// What measures some columns of a row.
type Step<'s> = dyn Fn(&mut Row<'_>) -> Result<()> + 's;

/// Measures the columns that `wants` names. Those that fail do not keep the others from being measured.
pub fn row(
    setup: &Setup,
    program: &Program,
    level: Level,
    wants: impl Fn(Column) -> bool,
) -> (Vec<Measurement>, Vec<Failure>) {
    use Column as C;
    let builds = match How::BOTH.try_map(|how| Build::new(setup, program.name, &program.source, level, how)) {
        Ok(builds) => builds,
        Err(error) => {
            let name = format!("{}-{}", program.name, level.name());
            return (Vec::new(), vec![Failure { name, message: format!("{error:#}") }]);
        }
    };
    let (measurements, failures) = (Vec::new(), Vec::new());
    let mut row = Row { setup, program, level, builds, measurements, failures };
    // Each step, and the columns that it is for.
    let steps: [(&[Column], &Step<'_>); 21] = [
        (&[C::Compile, C::Edit, C::EditMold], &|row| row.builds()),
        (&[C::LinkBfd], &|row| row.link(C::LinkBfd, "bfd")),
        (&[C::LinkLld], &|row| row.link(C::LinkLld, "lld")),
        (&[C::Objects], &|row| row.exact(C::Objects, Build::objects)),
        (&[C::ObjectsStore, C::ObjectsAndStore], &|row| row.store()),
        (&[C::Program], &|row| row.exact(C::Program, |build| size(&build.program()?))),
        (
            &[C::First, C::FirstLlvm, C::FirstRss, C::Later, C::LaterRss, C::LaterOwn, C::LaterShared],
            &|row| row.runs(&|columns| columns.iter().any(|column| wants(*column))),
        ),
        (&[C::Steady], &|row| row.steady()),
        (&[C::SteadyBaseline], &|row| row.steady_baseline()),
        (&[C::Idle], &|row| row.idle()),
        (&[C::Daemon], &|row| {
            let times = daemon::first_times(setup, &row.programs()?, &program.arguments)?;
            row.add(C::Daemon, &times, milliseconds);
            Ok(())
        }),
        (&[C::DaemonRss], &|row| {
            let memories = daemon::first_memories(setup, &row.programs()?, &program.arguments)?;
            row.add(C::DaemonRss, &memories, |memory| memory.peak);
            Ok(())
        }),
        (&[C::Ahead], &|row| {
            let times = daemon::ahead(setup, &row.builds.lazy, &program.arguments)?;
            row.add(C::Ahead, &times, |time| *time);
            Ok(())
        }),
        (&[C::Jobs], &|row| {
            let times = daemon::jobs(setup, &row.builds.lazy.program()?, &program.arguments)?;
            row.add(C::Jobs, &times, milliseconds);
            Ok(())
        }),
        (&[C::Keep], &|row| {
            let times = keep::measure(setup, &row.builds.lazy.program()?, &program.arguments)?;
            row.add(C::Keep, &times, milliseconds);
            Ok(())
        }),
        (&[C::TiersFirst], &|row| {
            let times = tiers::first(setup, &row.long()?, row.work())?;
            row.add(C::TiersFirst, &times, milliseconds);
            Ok(())
        }),
        (&[C::TiersTotal], &|row| {
            let times = tiers::total(setup, &row.long()?, row.work())?;
            row.add(C::TiersTotal, &times, milliseconds);
            Ok(())
        }),
        (&[C::OptLater], &|row| {
            let times = tiers::raised(setup, &row.long()?, row.work())?;
            row.add(C::OptLater, &times, milliseconds);
            Ok(())
        }),
        (&[C::TiersLater], &|row| {
            let times = tiers::later(setup, &row.long()?, row.work())?;
            row.add(C::TiersLater, &times, milliseconds);
            Ok(())
        }),
        (&[C::TiersEdited], &|row| {
            let edit = || Ok(row.long_build(How::Lazy)?.build()?.program);
            let times = tiers::edited(setup, &row.long()?, row.work(), edit)?;
            row.add(C::TiersEdited, &times, milliseconds);
            Ok(())
        }),
        (&[C::TiersCounting], &|row| {
            let times = tiers::counting(setup, &row.long()?.lazy, setup.passes())?;
            row.add(C::TiersCounting, &times, |time| *time);
            Ok(())
        }),
    ];
    for (columns, step) in steps {
        let Some(first) = columns.iter().find(|column| wants(**column)) else { continue };
        if let Err(error) = step(&mut row) {
            let failure = Failure { name: name(program.name, level, *first), message: format!("{error:#}") };
            row.failures.push(failure);
        }
    }
    // What was measured for the sake of another column is not told.
    row.measurements.retain(|measurement| wants(measurement.column));
    row.measurements.sort_by_key(|measurement| measurement.column as u8);
    (row.measurements, row.failures)
}

/// For tables.
pub fn milliseconds(time: &Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl<'a> Row<'a> {
    /// Both builds, again and again.
    fn turns<T>(&self, turns: Turns, each: impl Fn(&Build<'a>) -> Result<T>) -> Result<Pair<Vec<T>>> {
        by_turns(turns, || each(&self.builds.plain), || each(&self.builds.lazy))
    }

    /// A quantity of both builds that is the same however often it is taken.
    fn exact(&mut self, column: Column, each: impl Fn(&Build<'a>) -> Result<f64>) -> Result<()> {
        let sizes = Pair { plain: each(&self.builds.plain)?, lazy: each(&self.builds.lazy)? };
        self.push(column, sizes.map(Summary::exact));
        Ok(())
    }

    /// The programs of both builds.
    fn programs(&self) -> Result<Pair<PathBuf>> {
        Ok(Pair { plain: self.builds.plain.program()?, lazy: self.builds.lazy.program()? })
    }

    /// The programs of both builds that do long work: those of its steady column, or itself.
    fn long(&self) -> Result<Pair<PathBuf>> {
        How::BOTH.try_map(|how| self.long_build(how)?.program())
    }

    /// One of these builds.
    fn long_build(&self, how: How) -> Result<Build<'a>> {
        let own = (self.program.name, &self.program.source);
        let (name, source) = self.program.steady.as_ref().map_or(own, |(name, source)| (*name, source));
        Build::new(self.setup, name, source, self.level, how)
    }

    /// What these are run with.
    fn work(&self) -> tiers::Work<'a> {
        let arguments: &[String] = if self.program.steady.is_some() { &[] } else { &self.program.arguments };
        tiers::Work { arguments, passes: self.program.passes }
    }

    fn link(&mut self, column: Column, linker: &str) -> Result<()> {
        let setup = self.setup;
        let links = self.turns(setup.turns(), |build| Ok(setup.run(&mut build.link(linker)?)?.wall))?;
        self.add(column, &links, milliseconds);
        Ok(())
    }

    /// Adds a column, if anything was measured for it.
    fn add<T>(&mut self, column: Column, taken: &Pair<Vec<T>>, quantity: impl Fn(&T) -> f64) {
        if !taken.plain.is_empty() {
            self.push(column, taken.summaries(quantity));
        }
    }

    fn push(&mut self, column: Column, summaries: Pair<Summary>) -> &mut Measurement {
        let target = self.program.target(self.level, column);
        self.measurements.push(Measurement::new(self.program.name, self.level, column, summaries, target));
        self.measurements.last_mut().expect("one was just pushed")
    }

    /// Compiling, and the edit of a file: it is compiled, the program linked and run, with what earlier edits and the run before
    /// have left in the cache.
    fn builds(&mut self) -> Result<()> {
        let (setup, arguments) = (self.setup, &self.program.arguments);
        let lazy = &self.builds.lazy;
        let cache = lazy.edit_cache()?;
        create_empty(&cache)?;
        let run = |program: &Path, how| {
            let mut command = setup.start_again(program, how);
            if how == How::Lazy {
                command.env("AUTOJIT_CACHE_DIR", &cache);
                if lazy.names_runtime() {
                    command.env_remove("LD_PRELOAD");
                }
            }
            setup.run(command.args(arguments))
        };
        run(&lazy.settled()?, How::Lazy)?;
        let times = self.turns(setup.least_turns(), |build| {
            let built = build.build()?;
            let to_run = |(edited, program): (Duration, PathBuf)| {
                Ok::<_, anyhow::Error>(edited + run(&program, build.how())?.wall)
            };
            let by_mold = built.by_mold.map(to_run).transpose()?;
            Ok((built.cpu, to_run((built.edited, built.program))?, by_mold))
        })?;
        self.add(Column::Compile, &times, |time| time.0.as_secs_f64());
        self.add(Column::Edit, &times, |time| milliseconds(&time.1));
        if times.plain.iter().all(|time| time.2.is_some()) {
            self.add(Column::EditMold, &times, |time| time.2.as_ref().map_or(f64::NAN, milliseconds));
        }
        Ok(())
    }

    fn store(&mut self) -> Result<()> {
        let plain = self.builds.plain.objects()?;
        let build = self.builds.lazy.beside_store()?;
        let (objects, stored) = (build.objects()?, build.stored()?);
        for (column, lazy) in [(Column::ObjectsStore, objects), (Column::ObjectsAndStore, objects + stored)] {
            self.push(column, Pair { plain, lazy }.map(Summary::exact));
        }
        Ok(())
    }

    /// First and later runs.
    fn runs(&mut self, any: &dyn Fn(&[Column]) -> bool) -> Result<()> {
        use Column as C;
        let (setup, arguments) = (self.setup, &self.program.arguments);
        let programs = self.programs()?;
        let first = |program: &Path, how| -> Result<Command> {
            let mut command = setup.start(program, how)?;
            command.args(arguments);
            Ok(command)
        };
        let later = |program: &Path, how| {
            let mut command = setup.start_again(program, how);
            command.args(arguments);
            command
        };
        let Pair { plain, lazy } = &programs;
        let statistics = check(setup, &mut first(plain, How::Plain)?, &mut first(lazy, How::Lazy)?)?;
        if any(&[C::First]) {
            let walls = by_turns(
                setup.turns(),
                || Ok(setup.run(&mut first(plain, How::Plain)?)?.wall),
                || Ok(setup.run(&mut first(lazy, How::Lazy)?)?.wall),
            )?;
            self.push(C::First, walls.summaries(milliseconds)).statistics = Some(statistics);
        }
        if any(&[C::FirstLlvm]) {
            let walls = by_turns(
                setup.turns(),
                || Ok(setup.run(&mut first(plain, How::Plain)?)?.wall),
                || Ok(setup.run(&mut by_llvm(first(lazy, How::Lazy)?))?.wall),
            )?;
            self.add(C::FirstLlvm, &walls, milliseconds);
        }
        if any(&[C::FirstRss]) {
            let memories = by_turns(
                setup.turns(),
                || setup.memory(&mut first(plain, How::Plain)?),
                || setup.memory(&mut first(lazy, How::Lazy)?),
            )?;
            self.push(C::FirstRss, memories.least(|memory| memory.peak));
        }
        if any(&[C::Later, C::LaterRss, C::LaterOwn, C::LaterShared]) {
            // The first run, whichever was the last, has filled the cache.
            let (_, statistics) = setup.statistics(&mut later(lazy, How::Lazy))?;
            ensure!(compiled(&statistics) == Some(0), "a later run compiles: {statistics}");
            ensure!(statistics["from_cache"].as_u64() > Some(0), "the cache has nothing: {statistics}");
        }
        if any(&[C::Later]) {
            let walls = by_turns(
                setup.turns(),
                || Ok(setup.run(&mut later(plain, How::Plain))?.wall),
                || Ok(setup.run(&mut later(lazy, How::Lazy))?.wall),
            )?;
            self.add(C::Later, &walls, milliseconds);
        }
        if any(&[C::LaterRss, C::LaterOwn, C::LaterShared]) {
            let memories = by_turns(
                setup.turns(),
                || setup.memory(&mut later(plain, How::Plain)),
                || setup.memory(&mut later(lazy, How::Lazy)),
            )?;
            self.push(C::LaterRss, memories.least(|memory| memory.peak));
            self.push(C::LaterOwn, memories.least(|memory| memory.own));
            self.push(C::LaterShared, memories.least(|memory| memory.shared));
        }
        Ok(())
    }

    /// Processor time of further passes over the same work: they call nothing for the first time.
    fn steady(&mut self) -> Result<()> {
        let programs = self.long()?;
        let times = self.passes(&programs, |_| ())?;
        self.add(Column::Steady, &times, |time| *time);
        Ok(())
    }

    /// The same in code of the baseline compiler, beside the plain program at -O0.
    fn steady_baseline(&mut self) -> Result<()> {
        let (name, source) = self.program.steady.as_ref().context("it has no such work")?;
        let plain = Build::new(self.setup, name, source, Level::O0, How::Plain)?.program()?;
        let programs = Pair { plain, lazy: self.long()?.lazy };
        let times = self.passes(&programs, |lazy| {
            lazy.env("AUTOJIT_BASELINE", "on").env("AUTOJIT_TIER", "off");
        })?;
        self.add(Column::SteadyBaseline, &times, |time| *time);
        Ok(())
    }

    /// Times of further passes. The two processes do them by turns; and there are several of each, since no two have their
    /// code and data at the same addresses.
    fn passes(&self, programs: &Pair<PathBuf>, prepare: impl Fn(&mut Command)) -> Result<Pair<Vec<f64>>> {
        let setup = self.setup;
        let (name, _) = self.program.steady.as_ref().context("it has no such work")?;
        let passes = |lazy: &mut Command| {
            let mut plain = Passes::start(&mut setup.start(&programs.plain, How::Plain)?)?;
            let mut lazy = Passes::start(lazy)?;
            let (expected, result) = (plain.result(), lazy.result());
            ensure!(expected == result, "the plain program computes {expected}, the lazy one {result}");
            let turns = by_turns(setup.passes(), || plain.pass(), || lazy.pass())?;
            lazy.end()?;
            Ok(turns)
        };
        let mut times = Pair::default();
        for _ in 0..setup.few_turns().least {
            let context = || format!("{name} at -{}", self.level.name());
            let mut lazy = setup.start(&programs.lazy, How::Lazy)?;
            prepare(&mut lazy);
            let (turns, statistics) = setup.statistics_of(&mut lazy, passes).with_context(context)?;
            check_lazy(&statistics).with_context(context)?;
            times.plain.extend(turns.plain);
            times.lazy.extend(turns.lazy);
        }
        Ok(times)
    }

    /// The plain program with the runtime preloaded, beside itself without.
    fn idle(&mut self) -> Result<()> {
        let (setup, program) = (self.setup, self.builds.plain.program()?);
        let run = |how| Ok(setup.run(&mut setup.start_again(&program, how))?.wall);
        // Unmeasured: brings the files into memory.
        How::BOTH.try_map(run)?;
        let walls = by_turns(setup.turns(), || run(How::Plain), || run(How::Lazy))?;
        self.add(Column::Idle, &walls, milliseconds);
        Ok(())
    }
}

/// Runs both once, unmeasured: brings the files into memory, compares what is printed, and returns the statistics of
/// the lazy one.
fn check(setup: &Setup, plain: &mut Command, lazy: &mut Command) -> Result<Value> {
    let plain = setup.run(plain)?;
    let (usage, statistics) = setup.statistics(lazy)?;
    ensure!(plain.stdout == usage.stdout, "{lazy:?} prints something else than the plain program");
    ensure!(compiled(&statistics) > Some(0), "{lazy:?} compiled nothing: {statistics}");
    Ok(statistics)
}

/// How many functions a process has compiled itself, by either compiler.
pub fn compiled(statistics: &Value) -> Option<u64> {
    sum(statistics, &["compiled", "baseline"])
}

fn sum(statistics: &Value, keys: &[&str]) -> Option<u64> {
    keys.iter().map(|key| statistics[*key].as_u64()).sum()
}

/// Refuses the `statistics` of a process that was not lazy. Where plugin or runtime do nothing, it is as quick as a plain
/// one and computes the same.
fn check_lazy(statistics: &Value) -> Result<()> {
    let functions = sum(statistics, &["compiled", "baseline", "from_cache", "from_daemon"]);
    ensure!(
        functions > Some(0),
        "expected functions that were compiled, or came from the cache or autojitd, found none: {statistics}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lazy_is_what_has_functions_from_anywhere() {
        for functions in [[1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0], [0, 0, 0, 4], [5, 6, 7, 8]] {
            let [compiled, baseline, from_cache, from_daemon] = functions;
            check_lazy(&json!({
                "compiled": compiled, "baseline": baseline, "from_cache": from_cache, "from_daemon": from_daemon
            }))
            .unwrap();
        }
        for nothing in [
            json!({"functions": 9, "compiled": 0, "baseline": 0, "from_cache": 0, "from_daemon": 0, "batches": 1}),
            json!({"compiled": 1}),
            json!(null),
        ] {
            let message = check_lazy(&nothing).unwrap_err().to_string();
            assert!(message.contains(&format!("found none: {nothing}")), "{message}");
        }
    }
}
