//! What adds code to the files of modules: one writer, for the runtime and for autojitd.
//!
//! Receives units as they are made; hands on files, each with what was in it before.

use std::collections::{BTreeMap, BTreeSet};

use autojit_code::Unit;
use autojit_code::pack::{self, Key};
use autojit_sys::Errno;

use crate::{Directory, Kind};

/// Units that wait to be written, by the keys of their files.
#[derive(Debug)]
pub struct Writer<T>(BTreeMap<Key, Pending<T>>);

/// Units that wait to be written to one file.
#[derive(Debug)]
pub struct Pending<T> {
    /// What the writer's owner knows of it.
    pub of: T,
    /// The units.
    pub units: Vec<Unit<'static>>,
    /// Those of their functions that only their own module can name, whose calls are bound in the file.
    local: BTreeSet<u32>,
}

impl<T> Writer<T> {
    /// Nothing waits.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets a unit wait to be written to the file of `key`. `local`: those of its functions that only their own module can
    /// name, if calls of them are to be bound. Returns what is known of the file, `of` if nothing waits for it yet.
    pub fn add(
        &mut self,
        key: Key,
        unit: Unit<'static>,
        local: BTreeSet<u32>,
        of: impl FnOnce() -> T,
    ) -> &mut T {
        let pending = self.0.entry(key).or_insert_with(|| Pending {
            of: of(),
            units: Vec::new(),
            local: BTreeSet::new(),
        });
        pending.units.push(unit);
        pending.local.extend(local);
        &mut pending.of
    }

    /// Leaves out units: `wanted` gets what is known of a file and all units that wait for it, and says which are wanted.
    pub fn retain(&mut self, mut wanted: impl FnMut(&mut T, &[Unit<'static>]) -> Vec<bool>) {
        self.0.retain(|_, Pending { of, units, .. }| {
            let wanted = wanted(of, units);
            let mut next = wanted.iter();
            units.retain(|_| next.next() == Some(&true));
            !units.is_empty()
        });
    }

    /// Shows what is known of each file, and all units that wait for it.
    pub fn each(&self, mut show: impl FnMut(&T, &[Unit<'static>])) {
        self.0.values().for_each(|Pending { of, units, .. }| show(of, units));
    }

    /// Takes out files that are not to be written: those of which `is_taken` holds, which gets what is known of one and all
    /// units that wait for it.
    pub fn take_if(&mut self, mut is_taken: impl FnMut(&T, &[Unit<'static>]) -> bool) -> Vec<Pending<T>> {
        let taken = self.0.extract_if(.., |_, Pending { of, units, .. }| is_taken(of, units));
        taken.map(|(_, pending)| pending).collect()
    }

    /// Takes out what waits.
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// Writes what waits, and passes each file's to `written`, with the number of functions that are new in the file, or why
    /// it cannot be written: what was in it before is still there then.
    pub fn write(self, directory: &Directory, mut written: impl FnMut(Pending<T>, Result<u64, Errno>)) {
        for (key, pending) in self.0 {
            let units: Vec<&Unit<'_>> = pending.units.iter().collect();
            let result = add(directory, &key, &units, &pending.local);
            written(pending, result);
        }
    }
}

impl<T> Default for Writer<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Adds units to the file of `key`, and returns the number of functions that are new in it; `local` are those that only
/// their own module can name.
///
/// # Errors
/// The file cannot be written. What was there is still there.
pub(crate) fn add(
    directory: &Directory,
    key: &Key,
    units: &[&Unit<'_>],
    local: &BTreeSet<u32>,
) -> Result<u64, Errno> {
    let count = |unit: &Unit<'_>| unit.functions.iter().filter(|function| function.global).count() as u64;
    // What others have written meanwhile is kept.
    let old = directory.read(key, Kind::Code).ok();
    let old_lines = old.as_ref().and_then(|_| directory.read(key, Kind::Lines).ok());
    let old = old.as_ref().and_then(|bytes| {
        let mut unit = pack::decode_named(bytes, key).ok()?;
        if let Some(generation) = pack::generation(bytes) {
            // Code without its lines is not used, so it is not kept.
            unit.lines = pack::decode_lines(old_lines.as_ref()?, key, generation)?;
        }
        Some(unit)
    });
    let before = old.as_ref().map_or(0, count);
    let units: Vec<&Unit<'_>> = old.iter().chain(units.iter().copied()).collect();
    let merged = Unit::merge(&units, |index| local.contains(&index));
    let Some(merged) = merged else {
        log::debug!("the code of one module is too large for a cache file");
        return Ok(0);
    };
    let added = count(&merged) - before;
    if added != 0 {
        let code = pack::encode(&merged, key);
        let lines = pack::generation(&code).map(|it| pack::encode_lines(&merged.lines, key, it));
        // The lines first: with other code they say nothing.
        let lines = lines.as_ref().map(|lines| (Kind::Lines, &lines[..]));
        let files: Vec<_> = lines.into_iter().chain([(Kind::Code, &code[..])]).collect();
        directory.write(key, &files)?;
    }
    Ok(added)
}
