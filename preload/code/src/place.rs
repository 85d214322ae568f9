//! The second step of a link: a [`Unit`] gets its place in code memory. Receives the unit and asks a [`Resolver`] for the
//! addresses of its externals; takes a block, copies the pieces, writes GOT cells and far stubs, applies the fixups.

use std::borrow::Cow;

use autojit_trampoline::contract::{INDIRECT_LEN, JMP_INDIRECT};

use crate::eh_frame::{self, PLAIN_FRAME_LEN};
use crate::link::{CallSite, Code, Function, LinkError, Linked, Resolver, Section, Target};
use crate::memory::{Arena, Block, CodeMemory, MemoryError};
use crate::object::malformed;
use crate::reloc::{Form, Relax};
use crate::unit::{External, Fixup, Piece, Source, Symbol, Unit, Usage};

/// Bytes of a far stub: the jump, and padding.
const FAR_STUB: usize = 8;
const _: () = assert!(INDIRECT_LEN <= FAR_STUB);
/// `int3`, between and behind functions.
pub const TRAP: u8 = 0xcc;

/// What an external is bound to.
#[derive(Clone, Copy, Debug)]
struct Bound {
    target: Target,
    /// Where a branch goes that does not reach the target: a far stub of the memory's, or a new one.
    far: Option<Far>,
}

#[derive(Clone, Copy, Debug)]
enum Far {
    Known(usize),
    New(u32),
}

/// Where an external is, before the block's address is known.
enum Binding {
    Outside(Target),
    /// A function of the unit, at this offset in the text.
    Inside(u32),
}

/// Places `unit` in `memory`. `unit` must have passed [`Unit::check`].
///
/// # Errors
/// A symbol has no address or is out of reach, or there is no memory.
pub fn place<'a>(
    unit: &Unit<'a>,
    memory: &'a CodeMemory,
    resolver: &mut dyn Resolver,
) -> Result<Linked<'a>, LinkError> {
    let definitions = Definitions::of(unit);
    let bindings = unit.externals.iter().map(|external| definitions.bind(external, resolver));
    let bindings: Vec<Binding> = bindings.collect::<Result<_, _>>()?;
    let functions = list_functions(unit, resolver);

    // Which branches do not reach.
    let mut branches = vec![false; unit.externals.len()];
    for fixup in unit.fixups.iter() {
        if let Source::Branch { external, .. } = fixup.source {
            branches[external as usize] = true;
        }
    }
    let mut new_stubs: Vec<usize> = Vec::new();
    let far = bindings.iter().zip(branches).map(|(binding, branched)| match binding {
        Binding::Outside(target) if branched && !memory.reaches(target.address) => {
            let known = memory.lock().far_stubs.get(&target.address).copied();
            Some(known.map_or_else(
                || {
                    new_stubs.push(target.address);
                    Far::New(new_stubs.len() as u32 - 1)
                },
                Far::Known,
            ))
        }
        _ => None,
    });
    let far: Vec<Option<Far>> = far.collect();

    let sizes = Sizes::of(unit, new_stubs.len(), memory.arena(Arena::Data).len())?;
    let block = memory.block(sizes.arenas, sizes.aligns)?;
    let arenas = Arena::ALL.map(|arena| block.address(arena));
    let bases = [arenas[0], arenas[1], arenas[2], arenas[1] + sizes.frames];
    let bound = bindings.iter().zip(far).map(|(binding, far)| {
        let target = match binding {
            Binding::Outside(target) => *target,
            Binding::Inside(offset) => Target { address: bases[0] + *offset as usize, pending: None },
        };
        Bound { target, far }
    });
    let bound = bound.collect();
    Place { unit, memory, sizes, bases, bound, new_stubs }.all(block, functions)
}

/// The global functions of a unit, by symbol.
struct Definitions<'u, 'a>(Vec<(&'u Symbol<'a>, u32)>);

impl<'u, 'a> Definitions<'u, 'a> {
    fn of(unit: &'u Unit<'a>) -> Self {
        let globals = unit.functions.iter().filter(|function| function.global);
        let mut all: Vec<_> = globals.map(|function| (&function.symbol, function.offset)).collect();
        all.sort_unstable();
        Self(all)
    }

    /// What an external is.
    fn bind(&self, external: &External<'_>, resolver: &mut dyn Resolver) -> Result<Binding, LinkError> {
        let symbol = &external.symbol;
        if external.usage == Usage::Call
            && let Ok(found) = self.0.binary_search_by(|(known, _)| (*known).cmp(symbol))
            && resolver.defines(symbol)
        {
            return Ok(Binding::Inside(self.0[found].1));
        }
        let target = resolver.resolve(symbol, external.usage, external.weak);
        target.map(Binding::Outside).map_err(|cause| LinkError::Unresolved(name_of(symbol), cause))
    }
}

/// The functions, at their offsets in the text.
fn list_functions<'a>(unit: &Unit<'a>, resolver: &dyn Resolver) -> Vec<Function<'a>> {
    let functions = unit.functions.iter().map(|function| {
        let (name, index) = match &function.symbol {
            Symbol::Name(Cow::Borrowed(name)) => (*name, None),
            Symbol::Function(index) => (resolver.function_name(*index), Some(*index)),
            // Of no container's: nobody asks for them by name.
            Symbol::Name(Cow::Owned(_)) | Symbol::Import(_) => ("?", None),
        };
        let (address, size) = (function.offset as usize, function.size as usize);
        Function { name, index, address, size, global: function.global }
    });
    functions.collect()
}

/// A symbol in a message.
fn name_of(symbol: &Symbol<'_>) -> String {
    match symbol {
        Symbol::Name(name) => name.to_string(),
        Symbol::Function(index) => format!("function {index}"),
        Symbol::Import(index) => format!("import {index}"),
    }
}

/// What the block needs.
struct Sizes {
    arenas: [usize; 3],
    aligns: [usize; 3],
    /// Far stubs, in the text.
    far_stubs: usize,
    /// The unit's frames, in rodata.
    frames: usize,
    /// The frame of the far stubs, in rodata.
    far_frame: usize,
    /// GOT cells, in the data; behind them those of the far stubs.
    cells: usize,
}

impl Sizes {
    /// Of `unit` with this number of new far stubs, in arenas of `limit` bytes at most.
    fn of(unit: &Unit<'_>, far: usize, limit: usize) -> Result<Self, LinkError> {
        let len = |piece: Piece| unit.pieces[piece as usize].len();
        // Pieces have less than 4 GiB (Unit::check), so nothing overflows.
        let far_stubs = len(Piece::Text).next_multiple_of(FAR_STUB);
        let frames = len(Piece::Rodata).next_multiple_of(8);
        let far_frame = frames + len(Piece::Frames);
        let behind = far_frame + if far == 0 { 0 } else { PLAIN_FRAME_LEN };
        // The terminator.
        let rodata = if behind == frames { len(Piece::Rodata) } else { behind + 4 };
        let uses_got =
            unit.fixups.iter().any(|fixup| fixup.source == Source::GotBase || fixup.form == Form::GotRel64);
        let cells = len(Piece::Data).next_multiple_of(8);
        let data = cells + (unit.cells.len() + far).max(usize::from(uses_got)) * 8;
        let text = if far == 0 { len(Piece::Text) } else { far_stubs + far * FAR_STUB };
        let data = if data == cells { len(Piece::Data) } else { data };
        let arenas = [text, rodata, data];
        for (size, arena) in arenas.iter().zip(Arena::ALL) {
            if *size > limit {
                return Err(LinkError::Memory(MemoryError::Exhausted(arena)));
            }
        }
        let align = |piece: Piece, least: u32| unit.aligns[piece as usize].max(least) as usize;
        let aligns = [align(Piece::Text, 16), align(Piece::Rodata, 8), align(Piece::Data, 8)];
        Ok(Self { arenas, aligns, far_stubs, frames, far_frame, cells })
    }
}

/// A unit with its addresses.
struct Place<'u, 'a> {
    unit: &'u Unit<'a>,
    memory: &'a CodeMemory,
    sizes: Sizes,
    /// The addresses of the pieces.
    bases: [usize; 4],
    bound: Vec<Bound>,
    /// Where the new far stubs lead.
    new_stubs: Vec<usize>,
}

impl<'a> Place<'_, 'a> {
    fn all(&self, mut block: Block<'a>, functions: Vec<Function<'a>>) -> Result<Linked<'a>, LinkError> {
        let mut code = Code { bytes: self.sizes.arenas, pieces: self.bases, functions, ..Code::default() };
        code.text = self.bases[0]..self.bases[0] + self.sizes.arenas[0];
        self.copy_pieces(&mut block);
        self.write_cells(&mut block);
        for fixup in self.unit.fixups.iter() {
            self.relocate(&fixup, &mut block, &mut code)?;
        }
        self.index_frames(&mut block, &mut code)?;
        self.list(&mut code);
        let stubs = self.new_stubs.iter().enumerate().map(|(number, to)| (*to, self.far_stub(number as u32)));
        Ok(Linked::new(self.memory, block, code, stubs.collect()))
    }

    fn copy_pieces(&self, block: &mut Block<'a>) {
        let [text, rodata, data, frames] = &self.unit.pieces;
        // Aborted blocks leave their remains.
        let copy = |bytes: &mut [u8], piece: &[u8], filler: u8| {
            bytes[..piece.len()].copy_from_slice(piece);
            bytes[piece.len()..].fill(filler);
        };
        copy(block.bytes(Arena::Text), text, TRAP);
        copy(block.bytes(Arena::Rodata), rodata, 0);
        copy(block.bytes(Arena::Data), data, 0);
        if !frames.is_empty() {
            block.bytes(Arena::Rodata)[self.sizes.frames..][..frames.len()].copy_from_slice(frames);
        }
    }

    fn write_cells(&self, block: &mut Block<'a>) {
        let count = self.unit.cells.len();
        if count + self.new_stubs.len() == 0 {
            return;
        }
        let (cells, far) = block.bytes(Arena::Data)[self.sizes.cells..].split_at_mut(count * 8);
        for (cell, source) in cells.chunks_exact_mut(8).zip(&self.unit.cells) {
            cell.copy_from_slice(&self.held(*source).address.to_le_bytes());
        }
        if self.new_stubs.is_empty() {
            return;
        }
        for (cell, target) in far.chunks_exact_mut(8).zip(&self.new_stubs) {
            cell.copy_from_slice(&target.to_le_bytes());
        }
        let text = &mut block.bytes(Arena::Text)[self.sizes.far_stubs..];
        for (number, stub) in text.chunks_exact_mut(FAR_STUB).enumerate() {
            let address = self.far_stub(number as u32);
            // Within the reservation, which is smaller than 2 GiB.
            let displacement = self.cell((count + number) as u32).wrapping_sub(address + INDIRECT_LEN) as i32;
            stub[..2].copy_from_slice(&JMP_INDIRECT); //                      jmp *cell(%rip)
            stub[2..INDIRECT_LEN].copy_from_slice(&displacement.to_le_bytes());
        }
        let stubs = self.far_stub(0)..self.far_stub(self.new_stubs.len() as u32);
        let frame = eh_frame::plain_frame(self.bases[1] + self.sizes.far_frame, &stubs);
        block.bytes(Arena::Rodata)[self.sizes.far_frame..][..PLAIN_FRAME_LEN].copy_from_slice(&frame);
    }

    fn relocate(&self, fixup: &Fixup, block: &mut Block<'a>, code: &mut Code<'a>) -> Result<(), LinkError> {
        let bytes = match fixup.piece {
            Piece::Frames => &mut block.bytes(Arena::Rodata)[self.sizes.frames..],
            piece => block.bytes(piece.arena()),
        };
        let mut offset = fixup.offset as usize;
        let mut site = None;
        let symbol = match fixup.source {
            Source::Inside(piece, at) => self.bases[piece as usize] + at as usize,
            Source::Address(external) => self.bound[external as usize].target.address,
            Source::Branch { external, site: patched } => {
                let bound = self.bound[external as usize];
                site = bound.target.pending.filter(|_| patched);
                match bound.far {
                    None => bound.target.address,
                    Some(Far::Known(stub)) => stub,
                    Some(Far::New(stub)) => self.far_stub(stub),
                }
            }
            Source::Cell(cell) => self.cell(cell),
            Source::Relax(relax, cell) => {
                let held = self.held(self.unit.cells[cell as usize]);
                if self.memory.reaches(held.address) {
                    offset = relax.apply(bytes, offset);
                    site = held.pending.filter(|_| relax != Relax::Mov);
                    held.address
                } else {
                    self.cell(cell)
                }
            }
            Source::GotBase => self.cell(0),
        };
        let place = self.bases[fixup.piece as usize] + offset;
        let width = fixup.form.width();
        let field = &mut bytes[offset..offset + width];
        let addend = match <[u8; 8]>::try_from(&*field) {
            Ok(bytes) => i64::from_le_bytes(bytes),
            Err(_) => fixup.addend.into(),
        };
        let value = fixup
            .form
            .value(symbol, addend, place, self.cell(0))
            .ok_or_else(|| LinkError::OutOfReach(self.describe(fixup.source)))?;
        field.copy_from_slice(&value.to_le_bytes()[..width]);
        if let Some(pending) = site {
            // The opcode, e8 or e9, is the byte before the displacement.
            code.call_sites.push(CallSite { address: place - 1, target: symbol, pending });
        }
        Ok(())
    }

    fn index_frames(&self, block: &mut Block<'a>, code: &mut Code<'a>) -> Result<(), LinkError> {
        let bytes = block.bytes(Arena::Rodata);
        if self.unit.pieces[Piece::Frames as usize].is_empty() && self.new_stubs.is_empty() {
            return Ok(());
        }
        let (address, bytes) = (self.bases[3], &bytes[self.sizes.frames..]);
        code.eh_frame = address..address + bytes.len();
        code.fdes = eh_frame::index(bytes, address, &code.text)
            .map_err(|what| malformed(format!(".eh_frame has {what}")))?;
        Ok(())
    }

    /// What the runtime wants to know of the result.
    fn list(&self, code: &mut Code<'a>) {
        code.functions.iter_mut().for_each(|function| function.address += self.bases[0]);
        let sections = self.unit.sections.iter().map(|section| Section {
            index: section.index,
            name: section.name,
            address: self.bases[section.piece as usize] + section.offset as usize,
            size: section.size as usize,
        });
        code.sections = sections.collect();
    }

    /// What a GOT cell holds.
    fn held(&self, source: Source) -> Target {
        match source {
            Source::Address(external) | Source::Branch { external, .. } => {
                self.bound[external as usize].target
            }
            Source::Inside(piece, at) => {
                Target { address: self.bases[piece as usize] + at as usize, pending: None }
            }
            // Unit::check leaves no others.
            Source::Cell(_) | Source::Relax(..) | Source::GotBase => Target { address: 0, pending: None },
        }
    }

    fn describe(&self, source: Source) -> String {
        match source {
            Source::Address(external) | Source::Branch { external, .. } => {
                name_of(&self.unit.externals[external as usize].symbol)
            }
            Source::Cell(cell) | Source::Relax(_, cell) => match self.unit.cells[cell as usize] {
                Source::Address(external) | Source::Branch { external, .. } => {
                    name_of(&self.unit.externals[external as usize].symbol)
                }
                _ => "a local symbol".into(),
            },
            Source::Inside(..) => "a local symbol".into(),
            Source::GotBase => "_GLOBAL_OFFSET_TABLE_".into(),
        }
    }

    fn cell(&self, cell: u32) -> usize {
        self.bases[2] + self.sizes.cells + cell as usize * 8
    }

    fn far_stub(&self, stub: u32) -> usize {
        self.bases[0] + self.sizes.far_stubs + stub as usize * FAR_STUB
    }
}
