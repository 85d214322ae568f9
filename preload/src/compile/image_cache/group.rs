//! A group of an image pack in this process: whose functions its code is, and what its numbers stand for.
//!
//! Receives the unit of a group; claims the functions that were named already ([`Names::claim`]), resolves what the code
//! refers to, and lets calls lead to the functions that nothing has named ([`Unnamed::publish`]).

use std::cell::{Cell, OnceCell};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Release;

use autojit_code::image_pack::{ABSENT, NONE, Reference, ReferenceKind, References};
use autojit_code::unit::{Segment, UnitFunction};
use autojit_code::{Code, Resolver, Symbol, Target, Unit, Usage};
use autojit_trampoline::contract::Slot;

use super::ImagePack;
use crate::compile::cache;
use crate::link::publish::Claim;
use crate::platform::arch::prefetch;
use crate::program::image::{self, Image};
use crate::program::module::Module;
use crate::program::symbols;

/// What the numbers of a group stand for in this process.
pub struct Names<'a> {
    pack: &'a ImagePack,
    image: &'static Image,
    references: References<'static>,
    /// The module that was asked for last: neighbours in the tables are of one module mostly.
    last: Cell<(u32, Option<&'static Module>)>,
    /// By number, what is known of a function of the group. Functions have the first numbers.
    functions: Vec<Known>,
    /// By number, where an import leads; [`GONE`] if its module is, or if it is none.
    imports: Vec<usize>,
    /// For imports of modules that are gone: where others lead that lead to the same.
    stand_ins: OnceCell<BTreeMap<u32, usize>>,
}

/// The functions of a group whose code is the one that is being linked.
pub struct Definitions {
    /// Those that were named, and where they are in the code.
    pub claimed: cache::Claimed,
    /// The others.
    pub unnamed: Vec<Unnamed>,
}

/// A function that nothing has named yet: its code is found when it is.
pub struct Unnamed {
    /// Its slot, if it has a stub.
    slot: Option<&'static Slot>,
    module: &'static Module,
    index: u32,
    offset: u32,
    counters: Option<u32>,
}

impl Unnamed {
    /// Lets calls lead to its code, in that of a group that is known to be bound.
    pub fn publish(&self, code: &Code) {
        if let Some(function) = self.module.named_function(self.index) {
            // Named meanwhile: it may have other code already.
            if function.claim() {
                let claim = Claim { function, offset: self.offset, counters: self.counters };
                claim.publish(code.text.start, code.segments[Segment::Data as usize]);
            }
        } else if let Some(slot) = self.slot {
            slot.target.store(code.text.start + self.offset as usize, Release);
        }
    }
}

/// What is known of a function of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// The code that is being linked is not its own.
    Nothing,
    /// It is, but calls by its module lead elsewhere.
    Served,
    /// It is, and that is where calls by its module lead.
    Chosen,
    /// Likewise, by way of this stub.
    Stub(usize),
}

/// Where nothing can be.
const GONE: usize = usize::MAX;

impl<'a> Names<'a> {
    /// What is known before anything was claimed.
    pub fn new(pack: &'a ImagePack, image: &'static Image, references: References<'static>) -> Self {
        let last = Cell::new((NONE, None));
        let (functions, imports, stand_ins) = (Vec::new(), Vec::new(), OnceCell::new());
        Self { pack, image, references, last, functions, imports, stand_ins }
    }
}

impl Names<'_> {
    fn module(&self, reference: &Reference) -> Option<&'static Module> {
        let (number, mut module) = self.last.get();
        if number != reference.module {
            module = self.pack.module(self.image, reference.module);
            self.last.set((reference.module, module));
        }
        module
    }

    /// Looks where imports lead, and checks that those with one number for the code lead to the same. Of thousands, each is in
    /// another line of three tables, and each table says where to look in the next: what is needed then is on its way into
    /// the processor's caches meanwhile.
    pub fn look_up_imports(&mut self) -> Result<(), &'static str> {
        let references = self.references;
        let mut imports = Vec::with_capacity(references.len());
        let (mut indirect, mut same) = (Vec::new(), Vec::new());
        for (reference, number) in references.iter().zip(0..) {
            let reference = reference.ok_or("a reference of no kind")?;
            let mut entry = GONE;
            if reference.kind == ReferenceKind::Import {
                if reference.slot != NONE {
                    same.push((number, reference.slot));
                }
                if let Some(module) = self.module(&reference) {
                    let record = module.record();
                    if reference.index < record.got_imports {
                        indirect.push(number);
                    } else if reference.index - record.got_imports >= record.direct_imports {
                        return Err("an import that is not there");
                    }
                    entry = record.import_table().wrapping_add(reference.index as usize) as usize;
                    prefetch(entry);
                }
            } else if reference.kind == ReferenceKind::Stub {
                prefetch(self.image.address_of_slot(reference.slot));
            }
            imports.push(entry);
        }
        for import in imports.iter_mut().filter(|import| **import != GONE) {
            // SAFETY: an entry of the import table of an emitted record, of a loaded image.
            let distance = unsafe { *(*import as *const i32) };
            *import = import.wrapping_add_signed(distance as isize);
            prefetch(*import);
        }
        for number in indirect {
            let import = &mut imports[number as usize];
            // SAFETY: the GOT entry that the entry leads to (contract), which is relocated.
            *import = unsafe { *(*import as *const usize) };
        }
        for (number, first) in same {
            let first_one = references.get(first).filter(|_| first < number);
            first_one
                .filter(|first| first.kind == ReferenceKind::Import && first.slot == NONE)
                .ok_or("an import that is none")?;
            let (one, other) = (imports[first as usize], imports[number as usize]);
            if one != GONE && other != GONE && one != other {
                return Err("imports that lead to different addresses now");
            }
        }
        self.imports = imports;
        Ok(())
    }

    /// Where the code of a number's import leads; anywhere if all modules with it have changed: nothing will run it.
    fn destination(&self, number: u32) -> usize {
        let import = self.imports.get(number as usize).copied().unwrap_or(GONE);
        if import != GONE {
            return import;
        }
        let stand_ins = self.stand_ins.get_or_init(|| {
            let all = self.references.iter().zip(&self.imports);
            let there = all.filter(|(_, import)| **import != GONE);
            there.filter_map(|(reference, import)| Some((reference?.slot, *import))).collect()
        });
        stand_ins.get(&number).copied().unwrap_or_else(|| self.image.address())
    }

    /// The functions that code of `unit` is for, as far as they are cold.
    pub fn claim(&mut self, unit: &Unit<'_>) -> Definitions {
        let claimed = cache::Claimed { functions: Vec::new(), are_ready: false, serves: Vec::new() };
        let unnamed = Vec::with_capacity(unit.functions.len());
        let mut all = Definitions { claimed, unnamed };
        self.functions.reserve(unit.functions.len() + unit.functions.len() / 4);
        // With their names, which must be known for it.
        let name_all = log::log_enabled!(log::Level::Debug);
        for definition in unit.functions.iter().filter(|function| function.global) {
            let Symbol::Function(number) = definition.symbol else { continue };
            let Some(reference) = self.references.get(number) else { continue };
            let Some(module) = self.module(&reference) else { continue };
            let slot = match reference.kind {
                ReferenceKind::Stub => {
                    let index = reference.index;
                    let known = self.image.slot_of(reference.slot, module, index);
                    // The image may have been linked anew.
                    let find = |number| self.image.slot_of(number, module, index);
                    known.or_else(|| self.image.find_slot(module, index).and_then(find))
                }
                ReferenceKind::Local => None,
                ReferenceKind::Inline | ReferenceKind::Import => {
                    self.claim_one(&mut all.claimed, module, reference, number, &definition);
                    continue;
                }
            };
            let is_known = name_all || module.named_function(reference.index).is_some();
            if is_known {
                self.claim_one(&mut all.claimed, module, reference, number, &definition);
                continue;
            }
            if slot.is_none() && reference.kind == ReferenceKind::Stub {
                // The image has another definition of it.
                continue;
            }
            let (index, offset) = (reference.index, definition.offset);
            let counters = definition.counters.map(|counters| counters.offset);
            all.unnamed.push(Unnamed { slot, module, index, offset, counters });
            let known = self.where_calls_lead(&reference, module, slot.map(std::ptr::from_ref));
            self.note(number, known);
        }
        all
    }

    /// Claims a function that was named, or must be.
    fn claim_one(
        &mut self,
        claimed: &mut cache::Claimed,
        module: &'static Module,
        reference: Reference,
        number: u32,
        definition: &UnitFunction<'_>,
    ) {
        let Some(function) = module.function(reference.index) else { return };
        let served = match reference.kind {
            ReferenceKind::Stub => self.image.adopt_slot(function, reference.slot).then_some(function),
            ReferenceKind::Local => Some(function),
            ReferenceKind::Inline => symbols::chosen(function),
            ReferenceKind::Import => None,
        };
        let Some(served) = served.filter(|served| served.claim()) else { return };
        claimed.functions.push(Claim::of(served, definition));
        let slot = function.slot().map(|slot| slot as *const Slot);
        let known = self.where_calls_lead(&reference, module, slot);
        self.note(number, known);
    }

    fn note(&mut self, number: u32, known: Known) {
        let number = number as usize;
        if self.functions.len() <= number {
            self.functions.resize(number + 1, Known::Nothing);
        }
        self.functions[number] = known;
    }

    /// What is known of a function with this slot whose code is being linked.
    fn where_calls_lead(
        &self,
        reference: &Reference,
        module: &'static Module,
        slot: Option<*const Slot>,
    ) -> Known {
        if reference.kind != ReferenceKind::Stub {
            return Known::Chosen;
        }
        let stub = module.import(reference.other).unwrap_or(0);
        let leads_to = image::slot_at_stub(stub).map(std::ptr::from_ref);
        if leads_to.is_some() && leads_to == slot { Known::Stub(stub) } else { Known::Served }
    }

    fn known(&self, number: u32) -> Known {
        self.functions.get(number as usize).copied().unwrap_or(Known::Nothing)
    }
}

impl Resolver for Names<'_> {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        let number = match symbol {
            Symbol::Name(name) => return symbols::bind_library_function(name, self.image, usage, weak),
            Symbol::Function(number) | Symbol::Import(number) => *number,
        };
        let reference = self.references.get(number).ok_or("a number of nothing")?;
        match (reference.kind, symbol) {
            (ReferenceKind::Import, Symbol::Import(_)) => {
                let address = self.destination(number);
                if address == 0
                    && let Some(module) = self.module(&reference)
                {
                    if reference.other != ABSENT {
                        return Err("nothing defines an import any more".into());
                    }
                    let required = symbols::is_required(usage, weak);
                    return symbols::bind_import(module, reference.index, usage, required);
                }
                Ok(match usage {
                    Usage::Address => Target { address, pending: None },
                    Usage::Call => symbols::bind_call(address, ![NONE, ABSENT].contains(&reference.other)),
                })
            }
            (ReferenceKind::Import, _) | (_, Symbol::Import(_)) => Err("a number of something else".into()),
            (kind, _) => {
                let Some(module) = self.module(&reference) else {
                    // Code of a module that has changed: nothing will run it.
                    return Ok(Target { address: self.image.address(), pending: None });
                };
                if kind == ReferenceKind::Stub {
                    return symbols::bind_import(module, reference.other, usage, false);
                }
                let function = module.function(reference.index).ok_or("a function that is not there")?;
                let inline = kind == ReferenceKind::Inline;
                symbols::bind_stubless(function, inline, usage).map_err(|failure| failure.to_string())
            }
        }
    }

    fn defines(&mut self, symbol: &Symbol<'_>) -> bool {
        match symbol {
            Symbol::Name(_) => true,
            Symbol::Function(number) => matches!(self.known(*number), Known::Chosen | Known::Stub(_)),
            // The address of its function is known if the import leads there now, too.
            Symbol::Import(number) => self.references.get(*number).is_some_and(|import| {
                let Known::Stub(stub) = self.known(import.other) else { return false };
                self.destination(*number) == stub
            }),
        }
    }
}
