//! The object linker. Receives an ELF64 x86-64 relocatable object as LLVM emits it (PIC, small code model), finds through
//! a [`Resolver`] what it refers to, and leaves relocated code in code memory ([`Linked`], by commit [`Code`]).
//!
//! One pass over the relocations settles every symbol, GOT cell and far stub, and with them all sizes; then one block is
//! taken, filled, and relocated through its alias. Binding rules:
//! - what the object defines binds to the definition, except the *address* of a global function: that is asked of the
//!   resolver, because all of the process must see the same one;
//! - calls that do not reach go through a far stub, loads of a GOT cell become address computations where they reach.

use std::fmt;
use std::ops::Range;

use autojit_trampoline::contract::{INDIRECT_LEN, JMP_INDIRECT};
use goblin::elf64::section_header::{SHN_ABS, SHN_LORESERVE, SHN_UNDEF, SHT_REL};
use goblin::elf64::sym::{STB_LOCAL, STB_WEAK, STT_FUNC, STT_GNU_IFUNC, STT_TLS, Sym, st_bind, st_type};

use crate::eh_frame::{self, Fde, PLAIN_FRAME_LEN};
use crate::layout::Layout;
use crate::memory::{Arena, Block, CodeMemory, MemoryError};
use crate::object::{Object, malformed};
use crate::reloc::{self, Access, Form, Relax};

/// What a symbol is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It is called or jumped to: any address with the function's code will do.
    Call,
    /// Its address is taken: the one address that the whole process agrees on.
    Address,
}

/// What a symbol stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its address; 0 for a weak symbol that nothing defines.
    pub address: usize,
    /// The address is a stub whose function has no code yet: the call site is recorded with this token.
    pub pending: Option<u64>,
}

/// Finds what the object refers to.
pub trait Resolver {
    /// The address of `symbol`. Asked at most once for each symbol table entry and usage of an object, with no lock
    /// held. `weak`: it may stay undefined (answer address 0). An error is the cause in words; the link fails with it.
    fn resolve(&mut self, symbol: &str, usage: Usage, weak: bool) -> Result<Target, String>;
}

/// Why an object cannot be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// The object is malformed: what is wrong with it.
    Object(String),
    /// The object uses something that the linker does not do: names relocation or section.
    Unsupported(String),
    /// A symbol has no address: its name, and the resolver's words.
    Unresolved(String, String),
    /// A symbol is out of reach of the instruction that uses it: its name.
    OutOfReach(String),
    /// There is no code memory.
    Memory(MemoryError),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(what) => write!(f, "malformed object file: {what}"),
            Self::Unsupported(what) => write!(f, "object file with something that cannot be linked: {what}"),
            Self::Unresolved(symbol, cause) => write!(f, "undefined symbol '{symbol}': {cause}"),
            Self::OutOfReach(symbol) => {
                write!(f, "symbol '{symbol}' is out of reach of the instruction that uses it")
            }
            Self::Memory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LinkError {}

impl From<MemoryError> for LinkError {
    fn from(error: MemoryError) -> Self {
        Self::Memory(error)
    }
}

/// A function of a linked object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function<'a> {
    /// Its symbol.
    pub name: &'a str,
    /// Its first byte.
    pub address: usize,
    /// Its size in bytes.
    pub size: usize,
    /// Whether the symbol is global or weak (one that the engine compiled on request) rather than local.
    pub global: bool,
}

/// A direct call or jump to a stub whose function has no code yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The address of the opcode, e8 or e9: `site` of [`crate::patch_call`].
    pub address: usize,
    /// Where it leads now: `from` of [`crate::patch_call`].
    pub target: usize,
    /// The resolver's token ([`Target::pending`]).
    pub pending: u64,
}

/// A section of the object as it was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its index in the object's section header table.
    pub index: u32,
    /// Its name.
    pub name: &'a str,
    /// Its address.
    pub address: usize,
    /// Its size in bytes.
    pub size: usize,
}

/// Linked code. Nothing in it changes by commit.
#[derive(Debug, Default)]
pub struct Code<'a> {
    /// The functions that the object defines, by address.
    pub functions: Vec<Function<'a>>,
    /// Calls to be patched once their function has code.
    pub call_sites: Vec<CallSite>,
    /// The loaded sections.
    pub sections: Vec<Section<'a>>,
    /// The code, far stubs included.
    pub text: Range<usize>,
    /// The relocated .eh_frame, terminator included; empty if the object has none.
    pub eh_frame: Range<usize>,
    /// Bytes used in the arenas text, rodata, data.
    pub bytes: [usize; 3],
    /// The index of `eh_frame`.
    pub(crate) fdes: Vec<Fde>,
}

/// A linked object in memory that is not committed yet. Dropping it aborts.
#[derive(Debug)]
pub struct Linked<'a> {
    memory: &'a CodeMemory,
    block: Block<'a>,
    code: Code<'a>,
    /// New far stubs: where they lead, and their addresses.
    far_stubs: Vec<(usize, usize)>,
}

impl<'a> Linked<'a> {
    /// What will be committed.
    pub fn code(&self) -> &Code<'a> {
        &self.code
    }

    /// Makes the code executable and keeps it for ever.
    pub fn commit(self) -> Result<Code<'a>, LinkError> {
        self.block.commit()?;
        let mut state = self.memory.lock();
        for (target, stub) in self.far_stubs {
            // Another thread may have made one at the same time: either will do.
            state.far_stubs.entry(target).or_insert(stub);
        }
        Ok(self.code)
    }
}

/// Links the ELF relocatable `object` into `memory`.
///
/// A malformed object is an error, never a panic nor an access outside the object and its block; what its code does
/// when called is another matter.
pub fn link<'a>(
    object: &'a [u8],
    memory: &'a CodeMemory,
    resolver: &mut dyn Resolver,
) -> Result<Linked<'a>, LinkError> {
    let object = Object::parse(object)?;
    let limit = memory.arena(Arena::Data).len();
    let mut plan = Plan {
        memory,
        resolver,
        layout: Layout::of(&object, limit)?,
        symbols: vec![Bindings::default(); object.symbols.len()],
        object: &object,
        cells: Vec::new(),
        far_stubs: Vec::new(),
        fixups: Vec::new(),
        uses_got: false,
    };
    plan.relocations()?;
    plan.place(limit)
}

/// Where a symbol is.
#[derive(Clone, Copy, Debug)]
enum Place {
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
enum Source {
    Place(Place),
    Cell(u32),
    FarStub(u32),
    GotBase,
}

/// One relocation, settled.
#[derive(Debug)]
struct Fixup {
    section: u32,
    symbol: u32,
    offset: usize,
    addend: i64,
    form: Form,
    source: Source,
    relax: Option<Relax>,
    /// A call site to be recorded: the resolver's token.
    pending: Option<u64>,
}

/// Bytes of a far stub: the jump, and padding.
const FAR_STUB: usize = 8;
const _: () = assert!(INDIRECT_LEN <= FAR_STUB);
/// `int3`, between and behind functions.
const TRAP: u8 = 0xcc;

/// The link before memory is taken.
struct Plan<'a, 'l> {
    object: &'l Object<'a>,
    memory: &'a CodeMemory,
    resolver: &'l mut dyn Resolver,
    layout: Layout<'a>,
    symbols: Vec<Bindings>,
    /// GOT cells and what they hold.
    cells: Vec<Place>,
    /// New far stubs, by their cells, which hold where they lead.
    far_stubs: Vec<u32>,
    fixups: Vec<Fixup>,
    uses_got: bool,
}

impl<'a> Plan<'a, '_> {
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

    /// Takes a block and fills it.
    fn place(mut self, limit: usize) -> Result<Linked<'a>, LinkError> {
        let layout = &mut self.layout;
        let far_stubs = layout.add(Arena::Text, self.far_stubs.len() * FAR_STUB, 8, limit)?;
        let mut far_frame = None;
        if !self.far_stubs.is_empty() {
            let align = if layout.eh_frame.is_none() { 8 } else { 1 };
            let offset = layout.add(Arena::Rodata, PLAIN_FRAME_LEN, align, limit)?;
            layout.eh_frame.get_or_insert(offset);
            far_frame = Some(offset);
        }
        if layout.eh_frame.is_some() {
            layout.add(Arena::Rodata, 4, 1, limit)?;
        }
        let cells = self.cells.len().max(usize::from(self.uses_got));
        let cells = layout.add(Arena::Data, cells * 8, 8, limit)?;

        let block = self.memory.block(layout.sizes, layout.aligns)?;
        let bases = Arena::ALL.map(|arena| block.address(arena));
        let image = Image { plan: &self, bases, far_stubs, far_frame, cells };
        image.fill(block)
    }

    fn unsupported(&self, what: &str, symbol: u32) -> LinkError {
        LinkError::Unsupported(format!("{what}, symbol '{}'", self.describe(symbol)))
    }

    /// A name for messages.
    fn describe(&self, symbol: u32) -> &'a str {
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

/// The link with its addresses.
struct Image<'p, 'a, 'l> {
    plan: &'p Plan<'a, 'l>,
    /// The addresses of the three pieces.
    bases: [usize; 3],
    /// Offsets in their pieces: far stubs (text), their frame (rodata), GOT cells (data).
    far_stubs: usize,
    far_frame: Option<usize>,
    cells: usize,
}

impl<'a> Image<'_, 'a, '_> {
    fn fill(&self, mut block: Block<'a>) -> Result<Linked<'a>, LinkError> {
        let Layout { sizes, eh_frame, .. } = self.plan.layout;
        let mut code = Code { bytes: sizes, ..Code::default() };
        code.text = self.bases[0]..self.bases[0] + sizes[0];
        self.copy_sections(&mut block, &mut code);
        let far_stubs = self.write_cells(&mut block);
        for fixup in &self.plan.fixups {
            self.relocate(fixup, &mut block, &mut code)?;
        }
        if let Some(offset) = eh_frame {
            let address = self.bases[1] + offset;
            let bytes = &block.bytes(Arena::Rodata)[offset..];
            code.eh_frame = address..address + bytes.len();
            code.fdes = eh_frame::index(bytes, address, &code.text)
                .map_err(|what| malformed(format!(".eh_frame has {what}")))?;
        }
        self.list_functions(&mut code)?;
        Ok(Linked { memory: self.plan.memory, block, code, far_stubs })
    }

    fn copy_sections(&self, block: &mut Block<'a>, code: &mut Code<'a>) {
        // Aborted blocks leave their remains.
        block.bytes(Arena::Text).fill(TRAP);
        block.bytes(Arena::Rodata).fill(0);
        block.bytes(Arena::Data).fill(0);
        for (index, placed) in self.plan.layout.sections.iter().enumerate() {
            let Some(placed) = placed else { continue };
            let bytes = &mut block.bytes(placed.arena)[placed.offset..];
            bytes[..placed.content.len()].copy_from_slice(placed.content);
            let address = self.bases[placed.arena as usize] + placed.offset;
            let (index, name, size) = (index as u32, placed.name, placed.size);
            code.sections.push(Section { index, name, address, size });
        }
    }

    /// Writes GOT cells and far stubs; returns where the far stubs lead and where they are.
    fn write_cells(&self, block: &mut Block<'a>) -> Vec<(usize, usize)> {
        let data = &mut block.bytes(Arena::Data)[self.cells..];
        for (cell, place) in data.chunks_exact_mut(8).zip(&self.plan.cells) {
            cell.copy_from_slice(&self.address(*place).to_le_bytes());
        }
        let text = &mut block.bytes(Arena::Text)[self.far_stubs..];
        let mut list = Vec::new();
        for (number, (stub, cell)) in text.chunks_exact_mut(FAR_STUB).zip(&self.plan.far_stubs).enumerate() {
            let address = self.far_stub(number as u32);
            // Within the reservation, which is smaller than 2 GiB.
            let displacement = self.cell(*cell).wrapping_sub(address + INDIRECT_LEN) as i32;
            stub[..2].copy_from_slice(&JMP_INDIRECT); //                      jmp *cell(%rip)
            stub[2..INDIRECT_LEN].copy_from_slice(&displacement.to_le_bytes());
            list.push((self.address(self.plan.cells[*cell as usize]), address));
        }
        if let Some(offset) = self.far_frame {
            let stubs = self.far_stub(0)..self.far_stub(list.len() as u32);
            let frame = eh_frame::plain_frame(self.bases[1] + offset, &stubs);
            block.bytes(Arena::Rodata)[offset..offset + PLAIN_FRAME_LEN].copy_from_slice(&frame);
        }
        list
    }

    fn relocate(&self, fixup: &Fixup, block: &mut Block<'a>, code: &mut Code<'a>) -> Result<(), LinkError> {
        let Some(placed) = &self.plan.layout.sections[fixup.section as usize] else { return Ok(()) };
        let bytes = &mut block.bytes(placed.arena)[placed.offset..][..placed.size];
        let offset = match fixup.relax {
            Some(relax) => relax.apply(bytes, fixup.offset),
            None => fixup.offset,
        };
        let symbol = match fixup.source {
            Source::Place(place) => self.address(place),
            Source::Cell(cell) => self.cell(cell),
            Source::FarStub(stub) => self.far_stub(stub),
            Source::GotBase => self.cell(0),
        };
        let place = self.bases[placed.arena as usize] + placed.offset + offset;
        let value = fixup
            .form
            .value(symbol, fixup.addend, place, self.cell(0))
            .ok_or_else(|| LinkError::OutOfReach(self.plan.describe(fixup.symbol).into()))?;
        let width = fixup.form.width();
        bytes[offset..offset + width].copy_from_slice(&value.to_le_bytes()[..width]);
        if let Some(pending) = fixup.pending {
            // The opcode, e8 or e9, is the byte before the displacement.
            code.call_sites.push(CallSite { address: place - 1, target: symbol, pending });
        }
        Ok(())
    }

    fn list_functions(&self, code: &mut Code<'a>) -> Result<(), LinkError> {
        let object = self.plan.object;
        for symbol in object.symbols.iter().filter(|symbol| st_type(symbol.st_info) == STT_FUNC) {
            let section = symbol.st_shndx as usize;
            let Some(Some(placed)) = self.plan.layout.sections.get(section) else { continue };
            let (offset, size) = (symbol.st_value as usize, symbol.st_size as usize);
            let name = object.symbol_name(&symbol)?;
            if placed.arena != Arena::Text || offset.checked_add(size).is_none_or(|end| end > placed.size) {
                return Err(malformed(format!("function '{name}' outside the code")));
            }
            let address = self.bases[0] + placed.offset + offset;
            let global = st_bind(symbol.st_info) != STB_LOCAL;
            code.functions.push(Function { name, address, size, global });
        }
        code.functions.sort_by_key(|function| function.address);
        Ok(())
    }

    fn address(&self, place: Place) -> usize {
        match place {
            Place::Absolute { address, .. } => address,
            Place::Inside { section, offset } => {
                let placed = self.plan.layout.sections[section as usize];
                placed.map_or(0, |placed| self.bases[placed.arena as usize] + placed.offset + offset)
            }
        }
    }

    fn cell(&self, cell: u32) -> usize {
        self.bases[2] + self.cells + cell as usize * 8
    }

    fn far_stub(&self, stub: u32) -> usize {
        self.bases[0] + self.far_stubs + stub as usize * FAR_STUB
    }
}
