//! The first pass of a link: what every relocation of a loaded section is bound to, and thereby which GOT cells and far
//! stubs are needed. Receives the object and asks the resolver; hands on a [`Plan`] that lacks nothing but addresses.

use goblin::elf64::section_header::{SHN_ABS, SHN_LORESERVE, SHN_UNDEF, SHT_REL};
use goblin::elf64::sym::{STB_LOCAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_TLS, Sym, st_bind, st_type};

use crate::layout::Layout;
use crate::link::{LinkError, Resolver, Target, Usage};
use crate::memory::{Arena, CodeMemory};
use crate::object::{Object, malformed};
use crate::reloc::{self, Access, Form, Relax};

/// Where a symbol is.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// At an address; `pending` as in [`Target`].
    Absolute { address: usize, pending: Option<u64> },
    /// In a section of the object that is loaded.
    Inside { section: u32, offset: usize },
}

/// What one entry of the symbol table is bound to so far, by [`Usage`].
#[derive(Clone, Copy, Debug, Default)]
struct Bindings {
    places: [Option<Place>; 2],
    cells: [Option<u32>; 2],
    far_stub: Option<Source>,
}

/// What a fixup takes for S.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The symbol itself.
    Place(Place),
    /// A GOT cell of this object.
    Cell(u32),
    /// A new far stub.
    FarStub(u32),
    /// The first GOT cell.
    GotBase,
}

/// One relocation, settled.
#[derive(Debug)]
pub struct Fixup {
    /// The section that is changed, which is loaded.
    pub section: u32,
    /// The symbol's index, for messages.
    pub symbol: u32,
    /// The place in the section; the form's width is within its content.
    pub offset: usize,
    /// A.
    pub addend: i64,
    /// How the value is computed and written.
    pub form: Form,
    /// S.
    pub source: Source,
    /// How the instruction changes.
    pub relax: Option<Relax>,
    /// A call site to be recorded: the resolver's token.
    pub pending: Option<u64>,
}

/// The link before memory is taken.
pub struct Plan<'a, 'l> {
    /// The object.
    pub object: &'l Object<'a>,
    /// Where it goes.
    pub memory: &'a CodeMemory,
    /// Its sections, and the sizes so far.
    pub layout: Layout<'a>,
    /// GOT cells and what they hold.
    pub cells: Vec<Place>,
    /// New far stubs, by their cells, which hold where they lead.
    pub far_stubs: Vec<u32>,
    /// The relocations.
    pub fixups: Vec<Fixup>,
    /// Whether the GOT must be there even without cells.
    pub uses_got: bool,
    resolver: &'l mut dyn Resolver,
    /// By symbol index.
    symbols: Vec<Bindings>,
}

impl<'a, 'l> Plan<'a, 'l> {
    /// Plans the link of `object`; no arena's piece may exceed `limit` bytes.
    pub fn of(
        object: &'l Object<'a>,
        memory: &'a CodeMemory,
        resolver: &'l mut dyn Resolver,
        limit: usize,
    ) -> Result<Self, LinkError> {
        let mut plan = Self {
            object,
            memory,
            layout: Layout::of(object, limit)?,
            cells: Vec::new(),
            far_stubs: Vec::new(),
            fixups: Vec::new(),
            uses_got: false,
            resolver,
            symbols: vec![Bindings::default(); object.symbols.len()],
        };
        plan.relocations()?;
        Ok(plan)
    }

    /// Settles all relocations of loaded sections.
    fn relocations(&mut self) -> Result<(), LinkError> {
        if self.object.sections.iter().any(|section| section.sh_type == SHT_REL) {
            return Err(LinkError::Unsupported("relocations without addends".into()));
        }
        for table in self.object.relocations() {
            let (section, entries) = table?;
            let placed = self.layout.sections.get(section);
            let Some(placed) = *placed.ok_or_else(|| malformed("relocations of no section"))? else {
                continue;
            };
            let code = if placed.arena == Arena::Text { placed.content } else { &[] };
            for entry in entries.iter() {
                let (kind, symbol) = (entry.r_info as u32, (entry.r_info >> 32) as u32);
                let (offset, addend) = (entry.r_offset as usize, entry.r_addend);
                let reference = reloc::reference(kind, code, offset, addend);
                let Some((form, access)) = reference.map_err(|what| self.unsupported(&what, symbol))? else {
                    continue;
                };
                let end = offset.checked_add(form.width());
                if end.is_none_or(|end| end > placed.content.len()) {
                    return Err(malformed(format!("a relocation outside section {}", placed.name)));
                }
                let (source, relax, pending) = self.settle(symbol, access)?;
                let section = section as u32;
                self.fixups.push(Fixup { section, symbol, offset, addend, form, source, relax, pending });
            }
        }
        Ok(())
    }

    /// What a reference to `symbol` is bound to, whether its instruction changes, and the token to record.
    fn settle(
        &mut self,
        symbol: u32,
        access: Access,
    ) -> Result<(Source, Option<Relax>, Option<u64>), LinkError> {
        Ok(match access {
            Access::GotBase => {
                self.uses_got = true;
                (Source::GotBase, None, None)
            }
            Access::Address if self.is_got_base(symbol)? => {
                self.uses_got = true;
                (Source::GotBase, None, None)
            }
            Access::Address => (Source::Place(self.bind(symbol, Usage::Address)?), None, None),
            Access::Cell => (self.cell(symbol, Usage::Address)?, None, None),
            Access::Branch { site } => {
                let place = self.bind(symbol, Usage::Call)?;
                let pending = if site { place.pending() } else { None };
                match place {
                    Place::Absolute { address, .. } if !self.memory.reaches(address) => {
                        (self.far_stub(symbol, address)?, None, pending)
                    }
                    _ => (Source::Place(place), None, pending),
                }
            }
            Access::Relaxable(relax) => {
                let usage = if relax == Relax::Mov { Usage::Address } else { Usage::Call };
                match self.bind(symbol, usage)? {
                    Place::Absolute { address, .. } if !self.memory.reaches(address) => {
                        (self.cell(symbol, usage)?, None, None)
                    }
                    place if usage == Usage::Call => (Source::Place(place), Some(relax), place.pending()),
                    place => (Source::Place(place), Some(relax), None),
                }
            }
        })
    }

    fn symbol(&self, symbol: u32) -> Result<Sym, LinkError> {
        self.object.symbols.get(symbol as usize).ok_or_else(|| malformed("a relocation of no symbol"))
    }

    fn is_got_base(&self, symbol: u32) -> Result<bool, LinkError> {
        let symbol = self.symbol(symbol)?;
        Ok(symbol.st_shndx as u32 == SHN_UNDEF
            && self.object.symbol_name(&symbol)? == "_GLOBAL_OFFSET_TABLE_")
    }

    /// Where a symbol is, for a usage.
    fn bind(&mut self, index: u32, usage: Usage) -> Result<Place, LinkError> {
        let symbol = self.symbol(index)?;
        if let Some(place) = self.symbols[index as usize].places[usage as usize] {
            return Ok(place);
        }
        let name = self.object.symbol_name(&symbol)?;
        let (bind, kind) = (st_bind(symbol.st_info), st_type(symbol.st_info));
        let section = symbol.st_shndx as u32;
        if matches!(kind, STT_TLS | STT_GNU_IFUNC) {
            return Err(LinkError::Unsupported(format!("symbol '{name}' of type {kind}")));
        }
        let canonical = usage == Usage::Address && kind == STT_FUNC && bind != STB_LOCAL;
        let place = match section {
            SHN_UNDEF => self.resolve(name, usage, bind == STB_WEAK)?,
            SHN_ABS => Place::Absolute { address: symbol.st_value as usize, pending: None },
            SHN_LORESERVE.. => {
                return Err(LinkError::Unsupported(format!("symbol '{name}' in section {section:#x}")));
            }
            _ if canonical => self.resolve(name, usage, false)?,
            _ => {
                let placed = self.layout.sections.get(section as usize);
                let placed = placed.ok_or_else(|| malformed(format!("symbol '{name}' in no section")))?;
                let Some(placed) = placed else {
                    let what =
                        format!("a reference to symbol '{name}' in section {section}, which is not loaded");
                    return Err(LinkError::Unsupported(what));
                };
                if symbol.st_value > placed.size as u64 {
                    return Err(malformed(format!("symbol '{name}' outside section {}", placed.name)));
                }
                Place::Inside { section, offset: symbol.st_value as usize }
            }
        };
        self.symbols[index as usize].places[usage as usize] = Some(place);
        Ok(place)
    }

    fn resolve(&mut self, name: &str, usage: Usage, weak: bool) -> Result<Place, LinkError> {
        if name.is_empty() {
            return Err(malformed("a relocation of a symbol without a name"));
        }
        match self.resolver.resolve(name, usage, weak) {
            Ok(Target { address, pending }) => Ok(Place::Absolute { address, pending }),
            Err(cause) => Err(LinkError::Unresolved(name.into(), cause)),
        }
    }

    /// The symbol's GOT cell for a usage.
    fn cell(&mut self, symbol: u32, usage: Usage) -> Result<Source, LinkError> {
        let place = self.bind(symbol, usage)?;
        let known = self.symbols[symbol as usize].cells[usage as usize];
        let cell = known.unwrap_or_else(|| self.new_cell(place));
        self.symbols[symbol as usize].cells[usage as usize] = Some(cell);
        Ok(Source::Cell(cell))
    }

    fn new_cell(&mut self, place: Place) -> u32 {
        self.cells.push(place);
        self.cells.len() as u32 - 1
    }

    /// A far stub to `address`: one of the memory's, else a new one.
    fn far_stub(&mut self, symbol: u32, address: usize) -> Result<Source, LinkError> {
        if let Some(known) = self.symbols[symbol as usize].far_stub {
            return Ok(known);
        }
        let existing = self.memory.lock().far_stubs.get(&address).copied();
        let source = match existing {
            Some(stub) => Source::Place(Place::Absolute { address: stub, pending: None }),
            None => {
                let cell = self.new_cell(Place::Absolute { address, pending: None });
                self.far_stubs.push(cell);
                Source::FarStub(self.far_stubs.len() as u32 - 1)
            }
        };
        self.symbols[symbol as usize].far_stub = Some(source);
        Ok(source)
    }

    fn unsupported(&self, what: &str, symbol: u32) -> LinkError {
        LinkError::Unsupported(format!("{what}, symbol '{}'", self.describe(symbol)))
    }

    /// A name for messages.
    pub fn describe(&self, symbol: u32) -> &'a str {
        let Ok(symbol) = self.symbol(symbol) else { return "?" };
        match self.object.symbol_name(&symbol) {
            Ok("") => self
                .layout
                .sections
                .get(symbol.st_shndx as usize)
                .and_then(|placed| *placed)
                .map_or("?", |placed| placed.name),
            Ok(name) => name,
            Err(_) => "?",
        }
    }
}

impl Place {
    fn pending(self) -> Option<u64> {
        match self {
            Self::Absolute { pending, .. } => pending,
            Self::Inside { .. } => None,
        }
    }
}
