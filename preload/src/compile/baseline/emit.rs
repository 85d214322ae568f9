//! Machine code becomes a unit: pieces, externals, fixups, frames.
//!
//! Receives what the baseline compiler hands on; hands on what the linker places.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use autojit_baseline::{Code, Relocation, RelocationKind, RelocationTarget};
use autojit_bitcode::{BitcodeModule, GlobalKind, Linkage};
use autojit_code::unit::{CountersAt, Segment};
use autojit_code::{Access, Builder, Form, Symbol, Unit, Usage};
use autojit_trampoline::counter::Counters;

use super::constants::Constants;
use super::{Error, frames};
use crate::program::function::Function;
use crate::program::module::Module;

/// A unit in the making, of one function.
pub struct Emitter<'b> {
    pub bitcode: &'b BitcodeModule<'static>,
    pub builder: Builder<'static>,
    /// By what they stand for.
    externals: BTreeMap<(RelocationTarget, bool), u32>,
    /// The module's own constants that the function uses, copied.
    constants: Constants,
    /// The function: its global, and where its code is.
    own: (u32, u32),
    /// The code that is being linked: where it is, and its constants.
    current: (u32, u32),
    /// Copies of functions that are nowhere else, by global: where they are.
    copies: BTreeMap<u32, u32>,
    /// Of the function, blocks whose addresses may be taken.
    blocks: &'b [(u32, u32)],
    /// Globals that nothing defines.
    missing: &'b BTreeSet<u32>,
    numbers: &'b mut Numbers,
    module: &'static Module,
}

/// What the container calls globals, once they were referred to: by index, 0 for one that was not. Few of many are, and
/// pages of zeros that nothing reads take no memory.
#[derive(Debug, Default)]
pub struct Numbers(Vec<u64>);

/// The global is a function of the container; the rest of the number is its index.
const FUNCTION: u64 = 1 << 32;
/// It is an import.
const IMPORT: u64 = 2 << 32;
/// The container does not know it.
const NAME: u64 = 3 << 32;

impl Numbers {
    /// What a global is called.
    fn of(
        &mut self,
        module: &'static Module,
        bitcode: &BitcodeModule<'_>,
        number: u32,
    ) -> Result<Symbol<'static>, Error> {
        if self.0.is_empty() {
            self.0 = vec![0; bitcode.globals().len()];
        }
        let refused = |what: &str| Error::Refused(what.to_owned());
        let global = bitcode.globals().get(number as usize);
        let (Some(global), Some(known)) = (global, self.0.get_mut(number as usize)) else {
            return Err(refused("a global that is not there"));
        };
        let name = || {
            let name = std::str::from_utf8(bitcode.name(global));
            name.map_err(|_| refused("a name that is not UTF-8"))
        };
        if *known == 0 {
            let name = name()?;
            let symbol =
                module.opened().and_then(|opened| autojit_generator::number(&opened.container, name));
            *known = match symbol {
                Some(Symbol::Function(index)) => FUNCTION | u64::from(index),
                Some(Symbol::Import(index)) => IMPORT | u64::from(index),
                Some(Symbol::Name(_)) | None => NAME,
            };
        }
        let index = *known as u32;
        Ok(match *known & !u64::from(u32::MAX) {
            FUNCTION => Symbol::Function(index),
            IMPORT => Symbol::Import(index),
            _ => Symbol::Name(name()?.to_owned().into()),
        })
    }
}

/// The unit of `function`. `codes`: its code, and that of functions which only this unit has, each with its global.
/// `missing`: globals that nothing defines. `counters`: the bytes of those that its code counts with; none if it does not.
pub fn unit(
    bitcode: &BitcodeModule<'static>,
    codes: &[(u32, Code)],
    missing: &BTreeSet<u32>,
    numbers: &mut Numbers,
    counters: &[u8],
    function: &'static Function,
) -> Result<Unit<'static>, Error> {
    let Some((global, code)) = codes.first() else { return Err(Error::Refused("no code".into())) };
    let mut builder = Builder::new();
    let places: Vec<(u32, u32)> = codes
        .iter()
        .map(|(_, code)| {
            let text = builder.append(Segment::Text, &code.text, 16);
            (text, builder.append(Segment::Rodata, &code.rodata, code.rodata_align.max(1)))
        })
        .collect();
    let counters = (!counters.is_empty()).then(|| CountersAt {
        offset: builder.append(Segment::Data, counters, align_of::<Counters>() as u32),
        count: code.loops.len() as u32 + 1,
    });
    let text = places[0].0;
    // Owned: the unit waits to be written for longer than a library stays, whose container has the name.
    let name = function.info().name.to_owned().into();
    let symbol = Symbol::Function(function.index());
    builder.function(symbol, name, (text, code.text.len() as u32), counters);
    let mut emitter = Emitter {
        bitcode,
        builder,
        externals: BTreeMap::new(),
        constants: Constants::default(),
        own: (*global, text),
        current: places[0],
        copies: codes.iter().zip(&places).skip(1).map(|((global, _), place)| (*global, place.0)).collect(),
        blocks: &code.blocks,
        missing,
        numbers,
        module: function.module(),
    };
    for ((_, code), place) in codes.iter().zip(&places) {
        emitter.current = *place;
        for relocation in &code.text_relocations {
            emitter.relocate(Segment::Text, place.0, relocation)?;
        }
        for relocation in &code.rodata_relocations {
            emitter.relocate(Segment::Rodata, place.1, relocation)?;
        }
        emitter.frame(code, place.0)?;
    }
    Ok(emitter.builder.finish()?)
}

impl Emitter<'_> {
    /// The unwind table, with what a personality routine reads.
    fn frame(&mut self, code: &Code, text: u32) -> Result<(), Error> {
        let lsda = match &code.lsda {
            None => None,
            Some(lsda) => {
                let at = self.builder.append(Segment::Rodata, &lsda.bytes, 8);
                for relocation in &lsda.relocations {
                    self.relocate(Segment::Rodata, at, relocation)?;
                }
                Some(at)
            }
        };
        let personality = match code.personality {
            Some(global) if lsda.is_some() => {
                Some(self.external(RelocationTarget::Global(global), Usage::Address)?)
            }
            _ => None,
        };
        let cie = self.builder.cie(personality)?;
        let covered = (text, code.text.len() as u32);
        self.builder.fde(cie, covered, &frames::instructions(&code.frame), lsda)?;
        Ok(())
    }

    fn relocate(&mut self, segment: Segment, base: u32, relocation: &Relocation) -> Result<(), Error> {
        let at = base + relocation.offset;
        let (form, access) = match relocation.kind {
            RelocationKind::Pc32 => (Form::Rel32, Access::Address),
            RelocationKind::Call => (Form::Rel32, Access::Call),
            RelocationKind::GotRelaxable => (Form::Rel32, Access::GotEntry),
            RelocationKind::Abs64 => (Form::Abs64, Access::Address),
        };
        self.refer(segment, at, relocation.addend, form, relocation.target, access)
    }

    /// The place `at` refers to a target.
    pub fn refer(
        &mut self,
        segment: Segment,
        at: u32,
        addend: i64,
        form: Form,
        target: RelocationTarget,
        access: Access,
    ) -> Result<(), Error> {
        let inside = match target {
            RelocationTarget::Text => Some((Segment::Text, self.current.0)),
            RelocationTarget::Rodata => Some((Segment::Rodata, self.current.1)),
            RelocationTarget::Counter(number) => {
                // They are all that is in the data.
                Some((Segment::Data, (Counters::HEAD + number as usize * Counters::SIZE) as u32))
            }
            RelocationTarget::Global(global)
                if access == Access::Call && self.copies.contains_key(&global) =>
            {
                self.copies.get(&global).map(|copy| (Segment::Text, *copy))
            }
            RelocationTarget::Global(global) if self.is_copied(global) => {
                if access == Access::GotEntry {
                    return Err(Error::Refused("a constant by way of the global offset table".into()));
                }
                Some((Segment::Rodata, self.constant(global)?))
            }
            RelocationTarget::Global(_) | RelocationTarget::Runtime(_) => None,
        };
        match inside {
            Some(inside) => self.builder.point(segment, at, addend, form, inside)?,
            None => {
                let usage = if access == Access::Call { Usage::Call } else { Usage::Address };
                let external = self.external(target, usage)?;
                self.builder.refer(segment, at, addend, form, (external, access))?;
            }
        }
        Ok(())
    }

    /// What the container calls a name, if it knows it.
    fn number(&self, name: &str) -> Option<Symbol<'static>> {
        autojit_generator::number(&self.module.opened()?.container, name)
    }

    /// Whether the code that is being linked is that of a global.
    pub fn is_own(&self, global: u32) -> bool {
        self.own == (global, self.current.0)
    }

    /// Where a block of the function is, from its beginning, if its address may be taken.
    pub fn block(&self, block: u32) -> Option<i64> {
        self.blocks.iter().find(|(number, _)| *number == block).map(|(_, offset)| i64::from(*offset))
    }

    /// Whether a global is a constant of this module whose address means nothing, so that it travels with the bodies.
    fn is_copied(&self, global: u32) -> bool {
        self.bitcode.globals().get(global as usize).is_some_and(|global| {
            global.kind == GlobalKind::Variable
                && matches!(global.linkage, Linkage::Internal | Linkage::Private)
                && global.constant
                && global.initializer().is_some()
        })
    }

    /// Where the copy of a constant is in rodata.
    fn constant(&mut self, global: u32) -> Result<u32, Error> {
        if let Some(known) = self.constants.get(global) {
            return Ok(known);
        }
        Constants::emit(self, global)
    }

    /// Notes where the copy of a constant is.
    pub fn note(&mut self, global: u32, at: u32) {
        self.constants.note(global, at);
    }

    fn external(&mut self, target: RelocationTarget, usage: Usage) -> Result<u32, Error> {
        let key = (target, usage == Usage::Call);
        if let Some(known) = self.externals.get(&key) {
            return Ok(*known);
        }
        let (symbol, weak, own) = match target {
            RelocationTarget::Runtime(function) => match self.number(function.0) {
                // An optimiser may have no use for it: then the image need not have it.
                Some(Symbol::Import(index)) if self.module.import(index) == Some(0) => {
                    return Err(Error::Refused("what nothing defines".into()));
                }
                number => (number.unwrap_or(Symbol::Name(Cow::Borrowed(function.0))), false, None),
            },
            RelocationTarget::Global(number) => {
                let global = self.bitcode.globals().get(number as usize);
                let global = global.ok_or_else(|| Error::Refused("a global that is not there".into()))?;
                if self.missing.contains(&number) {
                    return Err(Error::Refused("what nothing defines".into()));
                }
                // What only this module can name stays in the image, with a name for the import table.
                if matches!(global.linkage, Linkage::Internal | Linkage::Private) {
                    return Err(Error::Refused("a local global".into()));
                }
                let symbol = self.numbers.of(self.module, self.bitcode, number)?;
                let own = (number == self.own.0 && usage == Usage::Call).then_some(self.own.1);
                (symbol, global.linkage == Linkage::ExternalWeak, own)
            }
            RelocationTarget::Text | RelocationTarget::Rodata | RelocationTarget::Counter(_) => {
                return Err(Error::Refused("a place of its own by name".into()));
            }
        };
        let external = self.builder.external(symbol, usage, weak, own);
        self.externals.insert(key, external);
        Ok(external)
    }
}
