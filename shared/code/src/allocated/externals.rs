//! What the externals of a unit are bound to, and what its fixups ask of them.

use std::collections::BTreeMap;

use super::damaged;
use crate::area::Area;
use crate::link::{LinkError, Resolver, Target};
use crate::unit::{Segment, Symbol, Unit};

/// The target of an external that is not the unit's own definition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) target: Target,
    /// Where branches go: the target, or a thunk that they reach.
    pub(super) branch: usize,
    /// What branches hold already: where the unit has a definition that is not the one, its offset.
    pub(super) held: u32,
}

/// Bits of a word of [`Externals::marks`].
const BITS: usize = u64::BITS as usize;

/// What stands for the unit's own definition in [`Externals::addresses`].
const OWN: usize = usize::MAX;

/// What the externals of a unit are bound to. There are many, and most are nothing but an address.
pub(crate) struct Externals {
    /// By external: [`OWN`], or an address.
    addresses: Vec<usize>,
    /// By external, a bit: whether it is in one of the following.
    marks: Vec<u64>,
    /// The tokens of those that have one.
    pending: BTreeMap<u32, u64>,
    /// The thunks of those that branches do not reach.
    branches: BTreeMap<u32, usize>,
    /// The offsets of the unit's definitions of those that lead elsewhere.
    displaced: BTreeMap<u32, u32>,
}

impl Externals {
    pub(crate) fn bind(unit: &Unit<'_>, resolver: &mut dyn Resolver) -> Result<Self, LinkError> {
        let addresses = Vec::with_capacity(unit.externals.len());
        let marks = vec![0; unit.externals.len().div_ceil(BITS)];
        let (pending, branches, displaced) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut all = Self { addresses, marks, pending, branches, displaced };
        let text = unit.segments[Segment::Text as usize].len();
        for number in 0..unit.externals.len() {
            let external = unit.externals.get(number).filter(|external| external.is_within(text));
            let external = external.ok_or_else(damaged)?;
            if external.own.is_some() && resolver.defines(&external.symbol) {
                all.addresses.push(OWN);
                continue;
            }
            let target = resolver
                .resolve(&external.symbol, external.usage, external.weak)
                .map_err(|cause| LinkError::Unresolved(name_of(&external.symbol), cause))?;
            all.addresses.push(target.address);
            if let Some(own) = external.own {
                all.displaced.insert(number as u32, own);
                all.mark(number as u32);
            }
            if let Some(pending) = target.pending {
                all.pending.insert(number as u32, pending);
                all.mark(number as u32);
            }
        }
        Ok(all)
    }

    /// Of addresses, by external.
    pub(crate) fn at(unit: &Unit<'_>, addresses: Vec<usize>) -> Self {
        let marks = vec![0; addresses.len().div_ceil(BITS)];
        let (pending, branches, displaced) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut all = Self { addresses, marks, pending, branches, displaced };
        for (external, number) in unit.externals.iter().zip(0..) {
            if let Some(own) = external.own {
                all.displaced.insert(number, own);
                all.mark(number);
            }
        }
        all
    }

    /// What an external is bound to: None for the unit's own definition.
    pub(super) fn get(&self, external: u32) -> Result<Option<Bound>, LinkError> {
        let address = *self.addresses.get(external as usize).ok_or_else(damaged)?;
        if address == OWN {
            return Ok(None);
        }
        if (self.marks[external as usize / BITS] >> (external as usize % BITS)) & 1 == 0 {
            return Ok(Some(Bound { target: Target { address, pending: None }, branch: address, held: 0 }));
        }
        let pending = self.pending.get(&external).copied();
        let branch = self.branches.get(&external).copied().unwrap_or(address);
        let held = self.displaced.get(&external).copied().unwrap_or(0);
        Ok(Some(Bound { target: Target { address, pending }, branch, held }))
    }

    fn mark(&mut self, external: u32) {
        self.marks[external as usize / BITS] |= 1 << (external as usize % BITS);
    }

    /// Lets branches to an external go to a thunk.
    pub(super) fn branch_to(&mut self, external: u32, thunk: usize) {
        self.branches.insert(external, thunk);
        self.mark(external);
    }

    /// Binds what branches do not reach to thunks that are there already; returns the other externals, and their
    /// addresses.
    pub(crate) fn thunks(&mut self, needs: &Needs, area: &Area) -> Vec<(u32, usize)> {
        self.branches.clear();
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for (number, address) in self.addresses.iter().enumerate() {
            if needs.branched[number] && *address != OWN && !area.reaches(*address) {
                match area.lock().thunks.get(address) {
                    Some(stub) => known.push((number as u32, *stub)),
                    None => new.push((number as u32, *address)),
                }
            }
        }
        known.into_iter().for_each(|(number, stub)| self.branch_to(number, stub));
        new
    }
}

/// What the fixups of a unit ask for.
pub(crate) struct Needs {
    /// Whether there are branches to an external.
    pub(crate) branched: Vec<bool>,
    /// Whether the address of the GOT counts.
    pub(crate) got: bool,
}

impl Needs {
    pub(crate) fn of(unit: &Unit<'_>) -> Result<Self, LinkError> {
        let mut needs = Self { branched: vec![false; unit.externals.len()], got: false };
        for external in unit.fixups.branches() {
            *needs.branched.get_mut(external as usize).ok_or_else(damaged)? = true;
        }
        needs.got = unit.fixups.use_got();
        Ok(needs)
    }
}

/// A symbol in a message.
pub(super) fn name_of(symbol: &Symbol<'_>) -> String {
    match symbol {
        Symbol::Name(name) => name.to_string(),
        Symbol::Function(index) => format!("function {index}"),
        Symbol::Import(index) => format!("import {index}"),
    }
}
