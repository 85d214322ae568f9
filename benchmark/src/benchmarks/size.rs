//! How large objects and programs get: the object beside a store directory, and the program with everything in it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::DEBUG;
use crate::results::{Comparison, Measurement, Unit};
use crate::series::{Pair, Summary};
use crate::setup::{How, Program, Setup, create_empty};

/// The greatest sizes that are good enough, as ratios.
pub struct Targets {
    /// Of the object of the first source file, function bodies being in a directory.
    pub object: f64,
    /// Of the linked program, function bodies embedded.
    pub program: f64,
}

/// Sizes of one program, built for debugging.
///
/// # Errors
/// It does not compile or link.
pub fn measure(setup: &Setup, name: &str, program: &Program, targets: Targets) -> Result<Vec<Measurement>> {
    let directory = setup.directory("size")?;
    let (object, store) = (directory.join("output.o"), directory.join("store"));
    create_empty(&store)?;
    let objects = How::BOTH.try_map(|how| {
        let mut compiler = setup.compiler(program, &program.sources[0], DEBUG, how, &object);
        setup.run(compiler.env("AUTOJIT_STORE", &store))?;
        size(&object)
    })?;
    let mut stored = 0.0;
    for container in fs::read_dir(&store)? {
        stored += size(&container?.path())?;
    }
    let with_store = Pair { lazy: objects.lazy + stored, ..objects };
    let programs = How::BOTH.try_map(|how| size(&setup.program(program, DEBUG, how)?))?;

    let file = program.sources[0].file_name().unwrap_or_default().display();
    let measurement = |part, title, sizes: Pair<f64>| {
        let summaries = Pair { plain: Summary::exact(sizes.plain), lazy: Summary::exact(sizes.lazy) };
        Measurement::new(format!("{name}-{part}"), title, Unit::Bytes, Comparison::Ratio, summaries)
    };
    Ok(vec![
        measurement("object", format!("object of {file} -O0 -g, bodies in a directory"), objects)
            .target(targets.object),
        measurement("stored", format!("object of {file} -O0 -g and its container together"), with_store),
        measurement("program", format!("program {} -O0 -g, bodies embedded", program.name), programs)
            .target(targets.program),
    ])
}

fn size(file: &Path) -> Result<f64> {
    let length = fs::metadata(file).with_context(|| format!("no {} was written", file.display()))?.len();
    Ok(length as f64)
}
