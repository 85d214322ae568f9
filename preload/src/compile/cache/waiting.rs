//! Code that waits to be written: noted when it is compiled or bound, written now and then, and when the process ends.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use autojit_abi::{BASELINE, GENERATOR};
use autojit_cache::{Pending, Writer, by_content};
use autojit_code::Unit;
use autojit_code::lock::{ForkLock, Lock};
use autojit_generator::Id;

use super::{PATIENCE, counted_key_of, directory, is_outdated, key_of, path};
use crate::compile::baseline;
use crate::compile::image_cache::{self, Noted, OfPacks};
use crate::link::kept_lines::KeptLines;
use crate::program::module::Module;
use crate::settings::options;
use crate::settings::stats;
use crate::sys;

/// Code that waits to be written, with its description.
struct Source {
    module: &'static Module,
    /// Whether making it again takes about as long as reading it.
    is_cheap: bool,
    /// When each unit of it came, and whether it is a function that was optimised alone.
    units: Vec<(u64, bool)>,
}

impl Source {
    /// Its units, for a pack. `unwritten`: see [`Noted`].
    fn noted(self, units: Vec<Unit<'static>>, unwritten: bool) -> impl Iterator<Item = Noted> {
        let Self { module, units: known, .. } = self;
        let units = units.into_iter().zip(known);
        units.map(move |(unit, (time, _))| Noted { module, unit, time, kept: None, unwritten })
    }
}

struct Waiting {
    modules: Writer<Source>,
    /// How much code came, as it were a clock.
    count: u64,
    since: Duration,
    /// What may become part of an image pack.
    noted: Vec<Noted>,
    /// How long that waits, from when.
    packs_wait: Duration,
    packs_since: Duration,
}

/// Whether anything ever waited.
static NEWS: AtomicBool = AtomicBool::new(false);

static WAITING: Lock<Waiting> = Lock::new(Waiting {
    modules: Writer::new(),
    count: 0,
    since: Duration::ZERO,
    noted: Vec::new(),
    packs_wait: PATIENCE.saturating_mul(2),
    packs_since: Duration::ZERO,
});

/// A fork waits until nothing is being added.
pub static FORK_LOCK: &dyn ForkLock = &WAITING;

/// Keeps a unit of code that a generator has made, and this process has published. `new`: nothing else writes it to the file
/// of its module. `alone`: it is a function that was optimised alone, as it runs often.
pub fn keep(module: &'static Module, generator: &Id, unit: Unit<'static>, new: bool, alone: bool) {
    if directory().is_none() {
        return;
    }
    let Some(opened) = module.opened() else { return };
    if !new {
        return note(module, unit, None);
    }
    let local = match options::calls_pass_stubs() {
        true => BTreeSet::new(),
        false => autojit_cache::local_functions(&opened.container, &unit),
    };
    let (key, is_cheap) = match *generator {
        BASELINE if baseline::counts(module) => {
            (counted_key_of(module, &key_of(&GENERATOR, module), &opened.container), false)
        }
        _ => (key_of(generator, module), *generator == BASELINE),
    };
    let mut waiting = WAITING.lock();
    if waiting.modules.is_empty() {
        waiting.since = sys::monotonic_time();
    }
    let time = waiting.tick();
    let source = waiting.modules.add(key, unit, local, || Source { module, is_cheap, units: Vec::new() });
    source.units.push((time, alone && !options::calls_pass_stubs()));
}

/// Keeps what may become part of an image pack. `kept`: see [`Noted`].
pub(super) fn note(module: &'static Module, unit: Unit<'static>, kept: Option<(usize, Option<KeptLines>)>) {
    let mut waiting = WAITING.lock();
    let time = waiting.tick();
    waiting.noted.push(Noted { module, unit, time, kept, unwritten: false });
}

/// Takes what may become part of an image pack and was kept since the rest is being written.
pub fn take_noted() -> Vec<Noted> {
    std::mem::take(&mut WAITING.lock().noted)
}

/// Whether the process has had code that may be written. Takes no lock.
pub fn has_news() -> bool {
    NEWS.load(Ordering::Relaxed) || image_cache::is_stale()
}

/// Writes what waits, if it has waited for long enough: the program may never come to its end.
pub fn flush_if_due() {
    let due = {
        let waiting = WAITING.lock();
        !waiting.modules.is_empty() && sys::monotonic_time() - waiting.since > PATIENCE
    };
    if due {
        write(false);
    }
}

/// Writes what waits. The caller has a fork guard.
pub fn flush() {
    write(true);
}

fn write(last: bool) {
    let Some(directory) = directory() else { return };
    let (mut modules, mut noted, packs) = {
        let mut waiting = WAITING.lock();
        let packs = last || waiting.packs_are_due();
        (waiting.modules.take(), std::mem::take(&mut waiting.noted), packs)
    };
    modules.retain(|Source { module, units: known, .. }, units| {
        let wanted: Vec<bool> = units.iter().map(|unit| !is_outdated(module, unit)).collect();
        let mut next = wanted.iter();
        known.retain(|_| next.next() == Some(&true));
        wanted
    });
    if packs {
        let mut of_packs = OfPacks::new(directory);
        modules.each(|Source { module, is_cheap, .. }, units| {
            if *is_cheap {
                of_packs.add(module, units);
            }
        });
        for Pending { of, units, .. } in
            modules.take_if(|source, _| source.is_cheap && of_packs.has(source.module))
        {
            noted.extend(of.noted(units, true));
        }
    }
    modules.write(directory, |Pending { of, units, .. }, written| {
        if of.units.iter().any(|(_, alone)| *alone)
            && let Some(opened) = of.module.opened()
        {
            let alone = units.iter().zip(&of.units).filter_map(|(unit, (_, alone))| alone.then_some(unit));
            let record = || by_content::record(directory, &opened.container, options::opt_override(), alone);
            // The container lies in the image, which the program may have closed, or close meanwhile.
            if let Some(Err(error)) = of.module.image().while_loaded(record) {
                log::debug!("writing to the cache {}: {error}", path(directory));
            }
        }
        match written {
            Ok(functions) => stats::COUNTERS.cached.add(functions),
            Err(error) => log::debug!("writing to the cache {}: {error}", path(directory)),
        }
        noted.extend(of.noted(units, false));
    });
    let mut rest = if packs { image_cache::write(directory, noted) } else { noted };
    let mut waiting = WAITING.lock();
    rest.append(&mut waiting.noted);
    waiting.noted = rest;
}

impl Waiting {
    /// The time at which code comes.
    fn tick(&mut self) -> u64 {
        NEWS.store(true, Ordering::Relaxed);
        self.count += 1;
        self.count
    }

    /// Whether image packs are to be written while the program runs. Each time makes a group of its own, so it is done
    /// less and less often.
    fn packs_are_due(&mut self) -> bool {
        let now = sys::monotonic_time();
        if self.packs_since == Duration::ZERO {
            self.packs_since = now;
        }
        let due = now - self.packs_since > self.packs_wait;
        if due {
            self.packs_since = now;
            self.packs_wait *= 2;
        }
        due
    }
}
