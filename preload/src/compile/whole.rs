//! A module all of whose functions are to be made ready for a debugger, to which it is described in full.
//!
//! Receives a module; hands on its functions, published together, so that calls between them do not pass stubs. A large
//! module is compiled in parts, each into a unit of its own, by as many processes (prepare.rs). The object cache keeps
//! the units.

use autojit_code::{Unit, describe};
use autojit_generator::{Made, Request, defined, orc};
use autojit_protocol::Scope;

use crate::compile::batch::Batch;
use crate::compile::compiler::Compiler;
use crate::compile::failures::cannot_link;
use crate::compile::{cache, modules};
use crate::link::lines::Lines;
use crate::program::module::Module;
use crate::program::symbols;
use crate::settings::failure::Failure;
use crate::settings::{options, stats};
use crate::sys;

/// Functions of a part. Each part describes the types that it uses and the variables of the module again.
const PART: usize = 64;
/// Parts that a module has at most.
const MOST: usize = 8;

/// The module, and its parts.
#[derive(Debug)]
pub struct Whole {
    module: &'static Module,
    /// By index: those that are this module's to define.
    functions: Vec<bool>,
    /// The same for each part. One that is all of it is not listed.
    parts: Vec<Vec<bool>>,
}

impl Whole {
    /// The module; which of its functions are its own is settled now, in the order in which modules come.
    ///
    /// # Errors
    /// Its container cannot be had.
    pub fn of(module: &'static Module) -> Result<Self, Failure> {
        module.open()?;
        if modules::lock_engine(module).0.is_none() {
            module.describe_in_full();
        }
        let own = |index| module.function(index).is_some_and(symbols::is_chosen);
        let functions: Vec<bool> = (0..module.record().functions).map(own).collect();
        let parts = split(&functions);
        Ok(Self { module, functions, parts })
    }

    /// The name of its source file.
    pub fn source(&self) -> String {
        self.module.source()
    }

    /// How many functions it defines.
    pub fn len(&self) -> usize {
        count(&self.functions)
    }

    /// How many parts it has.
    pub fn parts(&self) -> usize {
        self.parts.len().max(1)
    }

    /// By index, the functions of a part.
    fn part(&self, number: usize) -> &[bool] {
        self.parts.get(number).unwrap_or(&self.functions)
    }

    /// How many functions a part defines.
    pub fn part_len(&self, number: usize) -> usize {
        count(self.part(number))
    }

    /// What the object cache has of a part.
    pub fn kept(&self, number: usize) -> Option<Made> {
        cache::described(self.module, self.part(number))
    }

    /// The code of the whole module, if the object cache has that in one.
    pub fn kept_in_one(&self) -> Option<Made> {
        cache::described(self.module, &self.functions)
    }

    /// Has the engine compile a part, and the object cache keep it. Nothing if the part has no functions.
    ///
    /// # Errors
    /// LLVM's.
    pub fn compile(&self, engine: orc::Engine, number: usize) -> Result<Option<Made>, Failure> {
        let part = self.part(number);
        let mut handle = modules::lock_engine(self.module);
        stats::COUNTERS.batches.add(1);
        let claim = |index: u32| part.get(index as usize) == Some(&true);
        let request = Request::new(Scope::Everything, &claim);
        let (made, _) = Compiler::Engine(engine).compile(self.module, &mut handle, &request)?;
        made.iter().for_each(|made| cache::keep_described(self.module, part, &made.unit));
        Ok(made)
    }

    /// Has autojitd, if that is the compiler, compile all of it, and publishes it.
    ///
    /// # Errors
    /// It cannot be had. Its functions are cold, and each may still be had by itself.
    pub fn compile_in_one(&self, compiler: Compiler) -> Result<(), Failure> {
        let handle = modules::lock_engine(self.module);
        Batch::of(self.module, Some(&self.functions)).run(compiler, handle, None)
    }

    /// Publishes what parts define. Functions of the others are cold.
    ///
    /// # Errors
    /// They cannot be linked. All functions are cold.
    pub fn publish(&self, parts: &[Made]) -> Result<(), Failure> {
        let container = &self.module.open()?.container;
        let batch = Batch::of(self.module, None);
        let mut from_cache = vec![false; self.functions.len()];
        let mut local = std::collections::BTreeSet::new();
        for Made { unit, kept, .. } in parts {
            batch.claim_defined(unit);
            if *kept {
                // A unit of a damaged file may have any numbers.
                for index in defined(unit) {
                    // A unit of a damaged file may have any numbers.
                    from_cache.get_mut(index as usize).into_iter().for_each(|it| *it = true);
                }
            }
            if !options::calls_pass_stubs() {
                local.extend(autojit_cache::local_functions(container, unit));
            }
        }
        let units: Vec<&Unit<'_>> = parts.iter().map(|made| &made.unit).collect();
        let unit = Unit::merge(&units, |index| local.contains(&index))
            .ok_or_else(|| cannot_link(&"the code of one module is too large"))?;
        let has_lines = unit.lines.iter().all(|lines| describe::has_lines(&lines.object));
        let lines = if has_lines { Lines::Objects(unit.lines.clone()) } else { Lines::None };
        batch.link(&unit, lines, &unit.lines, &stats::COUNTERS.compiled, &from_cache)?;
        // Lines are in the file when they are asked for; memory is for what is used.
        parts.iter().filter_map(|made| made.mapped).for_each(sys::release_pages);
        Ok(())
    }
}

fn count(functions: &[bool]) -> usize {
    functions.iter().filter(|own| **own).count()
}

/// Parts of those functions, as long as they are many: neighbours stay together, for they call one another.
fn split(functions: &[bool]) -> Vec<Vec<bool>> {
    let all = count(functions);
    let parts = (all / PART).min(MOST);
    if parts < 2 {
        return Vec::new();
    }
    let mut split = vec![vec![false; functions.len()]; parts];
    let own = functions.iter().enumerate().filter(|(_, own)| **own);
    own.enumerate().for_each(|(nth, (index, _))| split[nth * parts / all][index] = true);
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_each_function_once() {
        for (functions, parts) in [(0, 0), (127, 0), (128, 2), (300, 4), (10_000, MOST)] {
            // Every third one is another module's.
            let own: Vec<bool> = (0..functions * 3 / 2).map(|index| index % 3 != 1).collect();
            let split = split(&own);
            assert_eq!(split.len(), parts, "{functions}");
            for (index, own) in own.iter().enumerate().filter(|_| parts != 0) {
                let holders = split.iter().filter(|part| part[index]).count();
                assert_eq!(holders, usize::from(*own), "{functions}: {index}");
            }
            let sizes = split.iter().map(|part| count(part));
            assert!(sizes.clone().max().unwrap_or(0) - sizes.min().unwrap_or(0) <= 1, "{functions}");
        }
    }
}
