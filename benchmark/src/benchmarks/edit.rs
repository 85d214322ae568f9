//! What a programmer waits for: one file was edited; it is compiled, the program linked and run.

use anyhow::Result;

use super::DEBUG;
use crate::results::{Comparison, Measurement, Unit};
use crate::series::by_turns;
use crate::setup::{How, Program, Setup};

/// Compiles the first source file of `program`, links and runs it, all by the clock. The edit is one that changes the
/// code, so that nothing of it is in any cache.
///
/// # Errors
/// Something fails.
pub fn measure(setup: &Setup, name: &str, program: &Program, linker: &str) -> Result<Vec<Measurement>> {
    How::BOTH.try_map(|how| setup.program(program, DEBUG, how))?;
    let source = &program.sources[0];
    let wait = |how| -> Result<f64> {
        let output = setup.program(program, DEBUG, how)?;
        let object = output.with_file_name(source.file_name().unwrap_or_default()).with_extension("o");
        let compiled = setup.run(&mut setup.compiler(program, source, DEBUG, how, &object))?.wall;
        let linked = setup.run(&mut setup.linker(program, DEBUG, how, linker)?)?.wall;
        let linked_program = output.with_file_name(format!("{}-{linker}", program.name));
        let ran = setup.run(&mut setup.start(&linked_program, how)?)?.wall;
        Ok((compiled + linked + ran).as_secs_f64() * 1e3)
    };
    let times = by_turns(setup.runs(7, 2), || wait(How::Plain), || wait(How::Lazy))?;
    let file = source.file_name().unwrap_or_default().display();
    let title = format!("compile {file} -O0 -g, link (ld.{linker}) and run {}", program.name);
    let times = times.summaries(|time| *time);
    Ok(vec![Measurement::new(name, title, Unit::WallMilliseconds, Comparison::Ratio, times)])
}

/// Links `program`, by the clock.
///
/// # Errors
/// It does not link.
pub fn link(setup: &Setup, name: &str, program: &Program) -> Result<Vec<Measurement>> {
    let mut all = Vec::new();
    for linker in ["bfd", "lld"] {
        let link = |how| Ok(setup.run(&mut setup.linker(program, DEBUG, how, linker)?)?.wall);
        How::BOTH.try_map(link)?;
        let times = by_turns(setup.runs(15, 3), || link(How::Plain), || link(How::Lazy))?;
        let title = format!("link {} -O0 -g (ld.{linker})", program.name);
        let times = times.summaries(|time| time.as_secs_f64() * 1e3);
        let name = format!("{name}-{linker}");
        all.push(Measurement::new(name, title, Unit::WallMilliseconds, Comparison::Ratio, times));
    }
    Ok(all)
}
