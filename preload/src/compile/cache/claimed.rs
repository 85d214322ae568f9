//! Cached code on its way: functions of a module that are claimed for code from a file until it is published.

use autojit_cache::{Directory, Kind};
use autojit_code::pack::{self, Key};
use autojit_code::{Code, LinkError, Symbol, Unit, link, unit};
use autojit_store::FunctionKind;

use super::directory;
use crate::compile::counted;
use crate::link::kept_lines::KeptLines;
use crate::link::lines;
use crate::link::publish::{Claim, Publication, publish};
use crate::program::function::Function;
use crate::program::module::Module;
use crate::program::symbols::{self, Names};
use crate::settings::stats;

/// Functions that this thread owns until they are published; if they are not, they become cold again on drop.
pub struct Claimed {
    /// The functions, and where their code is in the unit.
    pub functions: Vec<Claim>,
    /// They were published.
    pub are_ready: bool,
    /// By number in the unit, whether its definition serves one of them.
    pub serves: Vec<bool>,
}

/// The lines of a module's own file.
pub(super) fn lines_of(directory: &Directory, key: Key, generation: u64) -> Result<KeptLines, String> {
    let content = directory.map(&key, Kind::Lines).map_err(|error| error.to_string())?;
    if !pack::are_lines_of(&content, &key, generation) {
        return Err("they belong to other code".into());
    }
    stats::COUNTERS.cache_files.add(1);
    let (content, with) = (content.leak(), Kind::Code);
    Ok(KeptLines { content, key, generation, with, damaged: remove_lines })
}

/// Removes damaged lines and their code, for the next run to make both.
pub fn remove_lines(lines: &KeptLines) {
    log::debug!("lines of compiled code in the cache are damaged");
    if let Some(directory) = directory() {
        directory.remove(&lines.key, lines.with);
        if lines.with == Kind::Code {
            directory.remove(&lines.key, Kind::Lines);
        }
    }
}

impl Claimed {
    /// The functions that code of `unit` is for, as far as they are cold, or it is better than theirs. Inline ones may be another module's, which has
    /// named them first: code of any module will do.
    pub(super) fn of(module: &'static Module, unit: &Unit<'_>) -> Self {
        let mut all = Self {
            functions: Vec::with_capacity(unit.functions.len()),
            are_ready: false,
            serves: vec![false; module.function_count()],
        };
        let globals = unit.functions.iter().filter(|function| function.global);
        let named = globals.filter_map(|definition| match definition.symbol {
            Symbol::Function(index) => Some((module.function(index)?, definition)),
            _ => None,
        });
        // All are named before they learn their slots.
        let named: Vec<_> = named.collect();
        module.image().adopt_slots(module);
        for (function, definition) in named {
            let is_better = |claimed: &Function| definition.counters.is_none() && claimed.claim_replacement();
            let served = symbols::served(function);
            if let Some(claimed) = served.filter(|claimed| claimed.claim() || is_better(claimed)) {
                all.functions.push(Claim::of(claimed, &definition));
                all.serves[function.index() as usize] = true;
            }
        }
        all
    }

    pub(super) fn publish(
        &mut self,
        module: &'static Module,
        unit: &Unit<'static>,
        description: &'static mut [u8],
        lines: lines::Lines,
    ) -> Result<usize, LinkError> {
        let memory = module.image().memory();
        let owned = |function: &'static Function| {
            // With a stub, it may be another image's definition that calls lead to.
            let own = || function.kind().0 != FunctionKind::Stub || symbols::is_chosen(function);
            self.serves[function.index() as usize] && own()
        };
        let mut names = Names { module, owned: &owned };
        let linked = link(unit, memory, &mut names)?;
        let ready = |code: &Code| {
            if unit.functions.iter().any(|function| function.counters.is_some()) {
                let whose = Box::new(move |index, _: &unit::UnitFunction<'_>| Some((module, index)));
                // SAFETY: counters are where the unit has them; the code is the image's.
                unsafe { counted::begin_kept(module.image(), code, unit.functions.clone(), whose) };
            }
        };
        let publication = Publication {
            ready: &ready,
            claimed: &self.functions,
            unnamed: &|_| 0,
            description: (description, unit.functions.len()),
            lines,
            objects: &[],
        };
        let published = publish(module, memory, linked, publication)?;
        self.are_ready = true;
        stats::COUNTERS.from_cache.add(published as u64);
        Ok(published)
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if self.are_ready {
            return;
        }
        for Claim { function, .. } in self.functions.drain(..) {
            match function.code() {
                None => function.unclaim(),
                Some(_) => function.unclaim_replacement(),
            }
        }
    }
}
