//! How long the compiler takes: processor time of clang for one source file.

use anyhow::Result;

use crate::results::{Comparison, Measurement, Unit};
use crate::series::by_turns;
use crate::setup::{How, Program, Setup};

/// Compiles the first source file of `program` at `level`, `runs` times (usually, quickly).
///
/// # Errors
/// It does not compile.
pub fn measure(
    setup: &Setup,
    name: &str,
    program: &Program,
    level: &[&str],
    runs: (usize, usize),
    target: f64,
) -> Result<Vec<Measurement>> {
    let source = &program.sources[0];
    let output = setup.directory("compile")?.join("output.o");
    let compile = |how| Ok(setup.run(&mut setup.compiler(program, source, level, how, &output))?.cpu);
    let times = by_turns(setup.runs(runs.0, runs.1), || compile(How::Plain), || compile(How::Lazy))?;
    let file = source.file_name().unwrap_or_default().display();
    let title = format!("compile {file} {}", level.join(" "));
    let seconds = times.summaries(std::time::Duration::as_secs_f64);
    Ok(vec![Measurement::new(name, title, Unit::CpuSeconds, Comparison::Ratio, seconds).target(target)])
}
