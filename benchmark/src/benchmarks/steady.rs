//! How fast compiled code runs: one process does the same work twice and times both passes. What the second pass calls
//! was called before, so that it has neither compiling nor first calls in it.

use anyhow::{Context, Result, ensure};

use super::DEBUG;
use crate::results::{Comparison, Measurement, Unit};
use crate::series::{Pair, by_turns};
use crate::setup::{How, Program, Setup};

/// What the program prints of one pass.
#[derive(Debug, Clone, PartialEq)]
struct Pass {
    /// Milliseconds by the clock.
    wall: f64,
    /// Milliseconds of processor time.
    cpu: f64,
    /// What it computed.
    result: String,
}

/// Runs both builds of `program`. The target is for the processor time of the second pass: a pass takes seconds and
/// does nothing but compute, so that by the clock it tells more of the machine's other work than of the code.
///
/// # Errors
/// A program fails, or the builds compute different things.
pub fn measure(
    setup: &Setup,
    name: &str,
    program: &Program,
    what: &str,
    target: f64,
) -> Result<Vec<Measurement>> {
    let Pair { plain, lazy } = How::BOTH.try_map(|how| setup.program(program, DEBUG, how))?;
    let run = |program, how| passes(&setup.run(&mut setup.start(program, how)?)?.stdout);
    let runs = setup.runs(7, 2);
    let passes = by_turns(runs, || run(&plain, How::Plain), || run(&lazy, How::Lazy))?;
    let results: Vec<_> =
        passes.plain.iter().chain(&passes.lazy).flatten().map(|pass| &pass.result).collect();
    ensure!(results.windows(2).all(|two| two[0] == two[1]), "the results differ: {results:?}");

    let measurement = |ending, title: &str, unit, time: fn(&[Pass; 2]) -> f64| {
        let title = format!("{what} -O0 -g, {title}");
        Measurement::new(format!("{name}{ending}"), title, unit, Comparison::Ratio, passes.summaries(time))
    };
    Ok(vec![
        measurement("", "second pass, processor time", Unit::CpuMilliseconds, |[_, second]| second.cpu)
            .target(target),
        measurement("-wall", "second pass", Unit::WallMilliseconds, |[_, second]| second.wall),
        measurement("-first", "first pass", Unit::WallMilliseconds, |[first, _]| first.wall),
    ])
}

/// Reads what the program printed: a line for each pass.
fn passes(output: &[u8]) -> Result<[Pass; 2]> {
    let text = String::from_utf8_lossy(output);
    let pass = |line: &str| {
        let (wall, rest) = line.split_once(' ')?;
        let (cpu, result) = rest.split_once(' ')?;
        Some(Pass { wall: wall.parse().ok()?, cpu: cpu.parse().ok()?, result: result.to_owned() })
    };
    let passes: Option<Vec<_>> = text.lines().map(pass).collect();
    let passes = passes.and_then(|passes| <[Pass; 2]>::try_from(passes).ok());
    passes.with_context(|| format!("not the times of two passes: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_passes_are_read() {
        let [first, second] = passes(b"2.500 2.25 17 ab\n1.500 1.250 17 ab\n").unwrap();
        assert_eq!(first, Pass { wall: 2.5, cpu: 2.25, result: "17 ab".into() });
        assert_eq!(second, Pass { wall: 1.5, cpu: 1.25, result: "17 ab".into() });
    }

    #[test]
    fn anything_else_is_an_error() {
        for text in ["", "1 2 3\n", "1 2 3\n1 2 3\n1 2 3\n", "1 2 3\nx 2 3\n"] {
            let message = passes(text.as_bytes()).unwrap_err().to_string();
            assert!(message.contains("not the times"), "{text:?}: {message}");
        }
    }
}
