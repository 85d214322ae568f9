//! Linking an image's groups ahead, for the addresses that they will most likely have in later processes.
//!
//! Receives the groups of a pack that is being written; hands on their pages, and the conditions for a process that
//! maps them ([`super::bind_ahead`] looks). What this process knows of the image counts: where its imports lead, and
//! which slots are whose.

use std::collections::{BTreeMap, BTreeSet};

use autojit_code::image_pack::{Group, NONE, Reference, ReferenceKind};
use autojit_code::pack;
use autojit_code::prelink::{Binding, Stub, prelink};
use autojit_code::prelinked::{ModuleFacts, Outside, Prelinked};
use autojit_code::unit::External;
use autojit_code::{Symbol, Unit, Usage};

use crate::program::function::Function;
use crate::program::image::{self, Image};
use crate::program::module::Module;
use crate::program::symbols;

/// The code of a function: its group, its offset in the text of that, and what is known of it.
type Defined = (u32, u32, Reference);

/// What is known of an image and its groups.
struct Groups<'a> {
    image: &'static Image,
    groups: &'a [Group<'a>],
    /// By module and index; of several, the last one.
    functions: BTreeMap<(u32, u32), Defined>,
    /// Functions that only their modules can name and no group has, by module and index, sorted.
    stubs: Vec<[u32; 2]>,
}

/// The groups, linked ahead. None if that cannot be.
pub fn link_ahead(image: &'static Image, groups: &[Group<'_>]) -> Option<Prelinked> {
    // They were made in this process, or checked.
    let units: Vec<Unit<'_>> =
        groups.iter().map(|group| pack::decode_checked(&group.pack).ok()).collect::<Option<_>>()?;
    let mut functions = BTreeMap::new();
    for ((unit, group), number) in units.iter().zip(groups).zip(0..) {
        for function in unit.functions.iter().filter(|function| function.global) {
            let Symbol::Function(index) = function.symbol else { continue };
            let reference = *group.references.get(index as usize)?;
            if reference.module != NONE {
                let key = (reference.module, reference.index);
                functions.insert(key, (number, function.offset, reference));
            }
        }
    }
    let copies = copies(image, groups, &functions);
    functions.extend(copies);
    let mut all = Groups { image, groups, functions, stubs: Vec::new() };
    if !all.imports_agree() {
        return None;
    }
    all.stubs = all.stubs(&units)?;
    let stub = |[position, index]: &[u32; 2]| {
        let record = std::ptr::from_ref(all.module(*position)?.record()) as usize;
        let code = all.functions.get(&(*position, *index)).map(|(group, offset, _)| (*group, *offset));
        Some(Stub { record, index: *index, code })
    };
    let stubs: Vec<_> = all.stubs.iter().map(stub).collect::<Option<_>>()?;
    let known = |group: usize, external: &External<'_>| all.binding(group, external);
    let linked = prelink(&units, image.start(), &stubs, known, |size| image.unused_range(size));
    let mut linked = linked.inspect_err(|error| log::debug!("linking ahead: {error}")).ok().flatten()?;
    linked.externals = (linked.outsides.iter())
        .map(|(group, number)| {
            all.outside(*group as usize, &units[*group as usize].externals.get(*number as usize)?)
        })
        .collect::<Option<_>>()?;
    linked.modules = all.module_facts();
    linked.got = all.got();
    for ((module, index), (group, offset, reference)) in &all.functions {
        let offset = linked.groups[*group as usize].start[0] + offset;
        match reference.kind {
            ReferenceKind::Stub if all.has_slot(reference) => {
                linked.slots.push([*module, *index, reference.slot, offset]);
            }
            ReferenceKind::Inline => linked.inline.push([*module, *index, offset]),
            _ => {}
        }
    }
    linked.slots.sort_unstable_by_key(|[_, _, slot, _]| *slot);
    linked.stubs = all.stubs;
    Some(linked)
}

/// Inline functions that groups refer to without having code of them, but of the copies that other modules have: as these have it.
fn copies(
    image: &'static Image,
    groups: &[Group<'_>],
    functions: &BTreeMap<(u32, u32), Defined>,
) -> Vec<((u32, u32), Defined)> {
    let references = groups.iter().flat_map(|group| &group.references);
    let lacking = references.filter(|it| it.kind == ReferenceKind::Inline && it.module != NONE);
    let lacking = lacking.map(|it| (it.module, it.index)).filter(|it| !functions.contains_key(it));
    let lacking: BTreeSet<(u32, u32)> = lacking.collect();
    if lacking.is_empty() {
        return Vec::new();
    }
    let name = |(module, index): (u32, u32)| {
        let opened = image.module(module as usize)?.open().ok()?;
        Some(opened.container.function(index)?.name)
    };
    let inline = functions.iter().filter(|(_, (.., reference))| reference.kind == ReferenceKind::Inline);
    let named: BTreeMap<&str, Defined> = inline.filter_map(|(of, code)| Some((name(*of)?, *code))).collect();
    lacking.into_iter().filter_map(|of| Some((of, *named.get(name(of)?)?))).collect()
}

impl Groups<'_> {
    fn module(&self, position: u32) -> Option<&'static Module> {
        self.image.module(position as usize)
    }

    fn has_slot(&self, reference: &Reference) -> bool {
        let module = self.module(reference.module);
        module.is_some_and(|it| self.image.slot_of(reference.slot, it, reference.index).is_some())
    }

    /// The functions that need a stub.
    fn stubs(&self, units: &[Unit<'_>]) -> Option<Vec<[u32; 2]>> {
        let mut stubs = BTreeSet::new();
        for (group, unit) in units.iter().enumerate() {
            for external in unit.externals.iter() {
                if let Symbol::Function(number) = external.symbol
                    && let Some(reference) = self.groups[group].references.get(number as usize)
                    && reference.kind == ReferenceKind::Local
                    && self.binding(group, &external)? == Binding::Outside
                {
                    stubs.insert([reference.module, reference.index]);
                }
            }
        }
        Some(stubs.into_iter().collect())
    }

    /// The stub of a function, if it has one.
    fn stub(&self, module: u32, index: u32) -> Binding {
        let number = self.stubs.binary_search(&[module, index]);
        number.map_or(Binding::Outside, |number| Binding::Stub(number as u32))
    }

    /// The import that a number of a group stands for, or one that led to the same, if its module is gone.
    fn import(&self, group: usize, number: u32) -> Option<Reference> {
        let references = &self.groups[group].references;
        let import = references.get(number as usize).filter(|it| it.kind == ReferenceKind::Import)?;
        if import.module != NONE {
            return Some(*import);
        }
        let is_same =
            |it: &&Reference| it.kind == ReferenceKind::Import && it.slot == number && it.module != NONE;
        references.iter().find(is_same).copied()
    }

    /// Whether imports with one number for the code lead to the same.
    fn imports_agree(&self) -> bool {
        let address = |it: &Reference| {
            let is_there = it.kind == ReferenceKind::Import && it.module != NONE;
            self.module(it.module).filter(|_| is_there)?.import(it.index)
        };
        self.groups.iter().all(|group| {
            let same =
                group.references.iter().filter(|it| it.kind == ReferenceKind::Import && it.slot != NONE);
            same.into_iter().all(|it| {
                let first = group.references.get(it.slot as usize).and_then(address);
                first.is_none() || address(it).is_none_or(|other| first == Some(other))
            })
        })
    }

    /// What an external of the unit of a group stands for. None if it is damaged.
    fn binding(&self, group: usize, external: &External<'_>) -> Option<Binding> {
        // Code of a module that has changed: nothing will run it.
        let nothing = Some(Binding::Image(self.image.address()));
        match external.symbol {
            Symbol::Name(_) => Some(Binding::Outside),
            Symbol::Import(number) => match self.import(group, number) {
                Some(import) => self.import_binding(import.module, import.index, external.usage),
                None => nothing,
            },
            Symbol::Function(number) => {
                let reference = *self.groups[group].references.get(number as usize)?;
                let Some(module) = self.module(reference.module) else { return nothing };
                match (reference.kind, external.own) {
                    (ReferenceKind::Import, _) => None,
                    (ReferenceKind::Stub, _) => {
                        self.import_binding(reference.module, reference.other, external.usage)
                    }
                    (_, Some(own)) => Some(Binding::Code(group as u32, own)),
                    (ReferenceKind::Local, None) => Some(match external.usage {
                        Usage::Address => self.stub(reference.module, reference.index),
                        Usage::Call => match self.code(reference.module, reference.index) {
                            Binding::Outside => self.stub(reference.module, reference.index),
                            code => code,
                        },
                    }),
                    (_, None) if external.usage == Usage::Address => Some(Binding::Outside),
                    (ReferenceKind::Inline, None) => {
                        let chosen = symbols::chosen(module.function(reference.index)?);
                        Some(chosen.map_or(Binding::Outside, |chosen| self.code_of(chosen)))
                    }
                }
            }
        }
    }

    fn import_binding(&self, module: u32, import: u32, usage: Usage) -> Option<Binding> {
        let address = self.module(module)?.import(import)?;
        if !self.image.contains(address) {
            return Some(Binding::Outside);
        }
        let function = if usage == Usage::Call { image::function_of_stub(address) } else { None };
        Some(match function.map(|function| self.code_of(function)) {
            Some(code @ Binding::Code(..)) => code,
            _ => Binding::Image(address),
        })
    }

    /// The code of a function that a group has.
    fn code(&self, module: u32, index: u32) -> Binding {
        let code = self.functions.get(&(module, index));
        code.map_or(Binding::Outside, |(group, offset, _)| Binding::Code(*group, *offset))
    }

    fn code_of(&self, function: &'static Function) -> Binding {
        let module = function.module();
        if !std::ptr::eq(module.image(), self.image) {
            return Binding::Outside;
        }
        self.code(self.image.position_of(module), function.index())
    }

    /// What each process has to find.
    fn outside(&self, group: usize, external: &External<'_>) -> Option<Outside> {
        let (symbol, module, inline) = match &external.symbol {
            Symbol::Name(_) => (external.symbol.clone().into_owned(), NONE, false),
            Symbol::Import(number) => {
                let import = self.import(group, *number)?;
                (Symbol::Import(import.index), import.module, false)
            }
            Symbol::Function(number) => {
                let reference = self.groups[group].references.get(*number as usize)?;
                let inline = reference.kind == ReferenceKind::Inline;
                let symbol = match reference.kind {
                    ReferenceKind::Stub => Symbol::Import(reference.other),
                    _ => Symbol::Function(reference.index),
                };
                (symbol, reference.module, inline)
            }
        };
        Some(Outside { symbol, module, inline, usage: external.usage, weak: external.weak })
    }

    fn module_facts(&self) -> Vec<ModuleFacts> {
        let references = self.groups.iter().flat_map(|group| &group.references);
        let positions: BTreeSet<u32> = references.map(|reference| reference.module).collect();
        let facts = |position: u32| Some(self.image.facts_of(position, self.module(position)?));
        positions.into_iter().filter_map(facts).collect()
    }

    /// The GOT entries of imports that lead into the image, each once, though many modules may have it: import tables are compared.
    fn got(&self) -> Vec<[u32; 2]> {
        let references = self.groups.iter().flat_map(|group| &group.references);
        let mut all = BTreeSet::new();
        for Reference { module: position, index, other, kind, .. } in references {
            let import = match kind {
                ReferenceKind::Import => *index,
                ReferenceKind::Stub => *other,
                ReferenceKind::Local | ReferenceKind::Inline => continue,
            };
            let Some(module) = self.module(*position) else { continue };
            if let Some(entry) = module.import_got_entry(import)
                && let Some(address) = module.import(import).filter(|address| self.image.contains(*address))
            {
                all.insert([entry, address].map(|it| it.wrapping_sub(self.image.start()) as u32));
            }
        }
        all.into_iter().collect()
    }
}
