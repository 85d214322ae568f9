//! The second step of a link: a [`Unit`] gets its place in code memory. Receives the unit and asks a [`Resolver`] for the
//! addresses of its externals; takes a block, copies the pieces, writes GOT cells and far stubs, applies the fixups.

use std::borrow::Cow;

use autojit_trampoline::contract::{INDIRECT_LEN, JMP_INDIRECT};

use crate::eh_frame::{self, Entry, PLAIN_FRAME_LEN};
use crate::link::{CallSite, Code, Function as Listed, LinkError, Linked, Resolver, Section, Target};
use crate::memory::{Arena, Block, CodeMemory, MemoryError};
use crate::object::malformed;
use crate::reloc::{Form, Relax};
use crate::unit::{External, Fixup, Function, Piece, Source, Symbol, Unit, Usage};

/// Bytes of a far stub: the jump, and padding.
const FAR_STUB: usize = 8;
const _: () = assert!(INDIRECT_LEN <= FAR_STUB);
/// `int3`, between and behind functions.
pub const TRAP: u8 = 0xcc;

/// What an external is bound to.
#[derive(Clone, Copy, Debug)]
struct Bound {
    target: Target,
    /// Where branches go: the target, or a far stub that they reach.
    branch: usize,
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
    let functions = list_functions(unit, resolver);
    place_all(unit, memory, resolver, functions)
}

/// As [`place`], for a unit that comes with a [`Description`](crate::Description): its functions are not listed again.
///
/// # Errors
/// As above.
pub fn place_described<'a>(
    unit: &Unit<'a>,
    memory: &'a CodeMemory,
    resolver: &mut dyn Resolver,
) -> Result<Linked<'a>, LinkError> {
    place_all(unit, memory, resolver, Vec::new())
}

fn place_all<'a>(
    unit: &Unit<'a>,
    memory: &'a CodeMemory,
    resolver: &mut dyn Resolver,
    functions: Vec<Listed<'a>>,
) -> Result<Linked<'a>, LinkError> {
    let definitions = Definitions::of(unit);
    let mut bound = Vec::with_capacity(unit.externals.len());
    // Addresses of those inside are not known yet: their offsets, and who they are.
    let mut inside = Vec::new();
    for (number, external) in unit.externals.iter().enumerate() {
        let target = match definitions.find(external, resolver) {
            Some(offset) => {
                inside.push(number as u32);
                Target { address: offset as usize, pending: None }
            }
            None => resolver
                .resolve(&external.symbol, external.usage, external.weak)
                .map_err(|cause| LinkError::Unresolved(name_of(&external.symbol), cause))?,
        };
        bound.push(Bound { target, branch: target.address });
    }
    let new_stubs = far_stubs(unit, memory, &mut bound, &inside);

    let sizes = Sizes::of(unit, new_stubs.len(), memory.arena(Arena::Data).len())?;
    let block = memory.block(sizes.arenas, sizes.aligns)?;
    let arenas = Arena::ALL.map(|arena| block.address(arena));
    let bases = [arenas[0], arenas[1], arenas[2], arenas[1] + sizes.frames];
    for external in inside {
        let bound = &mut bound[external as usize];
        bound.target.address += bases[0];
        bound.branch = bound.target.address;
    }
    let mut place = Place { unit, memory, sizes, bases, bound, new_stubs: Vec::new() };
    for (number, (external, target)) in new_stubs.into_iter().enumerate() {
        place.bound[external as usize].branch = place.far_stub(number as u32);
        place.new_stubs.push(target);
    }
    place.all(block, functions)
}

/// Which externals need far stubs: binds them to what is there already, and returns the others with their addresses.
fn far_stubs(unit: &Unit<'_>, memory: &CodeMemory, bound: &mut [Bound], inside: &[u32]) -> Vec<(u32, usize)> {
    let mut far: Vec<bool> = bound.iter().map(|bound| !memory.reaches(bound.target.address)).collect();
    inside.iter().for_each(|external| far[*external as usize] = false);
    if !far.contains(&true) {
        return Vec::new();
    }
    let mut branched = vec![false; far.len()];
    for fixup in unit.fixups.iter() {
        if let Source::Branch { external, .. } = fixup.source {
            branched[external as usize] = true;
        }
    }
    let mut new = Vec::new();
    for (number, bound) in
        bound.iter_mut().enumerate().filter(|(number, _)| far[*number] && branched[*number])
    {
        match memory.lock().far_stubs.get(&bound.target.address) {
            Some(known) => bound.branch = *known,
            None => new.push((number as u32, bound.target.address)),
        }
    }
    new
}

/// The global functions of a unit: offsets by number in the container, and by other symbols. Sorted.
struct Definitions<'u, 'a> {
    numbered: Vec<(u32, u32)>,
    others: Vec<(&'u Symbol<'a>, u32)>,
}

impl<'u, 'a> Definitions<'u, 'a> {
    fn of(unit: &'u Unit<'a>) -> Self {
        let (mut numbered, mut others) = (Vec::with_capacity(unit.functions.len()), Vec::new());
        for Function { symbol, offset, .. } in unit.functions.iter().filter(|function| function.global) {
            match symbol {
                Symbol::Function(index) => numbered.push((*index, *offset)),
                _ => others.push((symbol, *offset)),
            }
        }
        numbered.sort_unstable();
        others.sort_unstable();
        Self { numbered, others }
    }

    /// The offset of what an external leads to, if that is the unit's own definition.
    fn find(&self, external: &External<'_>, resolver: &mut dyn Resolver) -> Option<u32> {
        let symbol = &external.symbol;
        if external.usage != Usage::Call {
            return None;
        }
        let offset = match symbol {
            Symbol::Function(index) => {
                let found = self.numbered.binary_search_by_key(index, |(known, _)| *known).ok()?;
                self.numbered[found].1
            }
            _ => self.others[self.others.binary_search_by(|(known, _)| (*known).cmp(symbol)).ok()?].1,
        };
        resolver.defines(symbol).then_some(offset)
    }
}

/// The functions, at their offsets in the text.
fn list_functions<'a>(unit: &Unit<'a>, resolver: &dyn Resolver) -> Vec<Listed<'a>> {
    let functions = unit.functions.iter().map(|function| {
        let (name, index) = match &function.symbol {
            Symbol::Name(Cow::Borrowed(name)) => (*name, None),
            Symbol::Function(index) => (resolver.function_name(*index), Some(*index)),
            // Of no container's: nobody asks for them by name.
            Symbol::Name(Cow::Owned(_)) | Symbol::Import(_) => ("?", None),
        };
        let (address, size) = (function.offset as usize, function.size as usize);
        Listed { name, index, address, size, global: function.global }
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
    fn all(&self, mut block: Block<'a>, functions: Vec<Listed<'a>>) -> Result<Linked<'a>, LinkError> {
        let mut code = Code { bytes: self.sizes.arenas, pieces: self.bases, functions, ..Code::default() };
        code.text = self.bases[0]..self.bases[0] + self.sizes.arenas[0];
        self.copy_pieces(&mut block);
        self.write_cells(&mut block);
        let mut arenas = block.all_bytes();
        // Where each piece begins in its arena's bytes.
        let starts = [0, 0, 0, self.sizes.frames];
        for fixup in self.unit.fixups.iter() {
            let bytes = &mut arenas[fixup.piece.arena() as usize];
            self.relocate(&fixup, &mut bytes[starts[fixup.piece as usize]..], &mut code.call_sites)?;
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

    /// Applies a fixup to its piece, the first of `bytes`.
    fn relocate(&self, fixup: &Fixup, bytes: &mut [u8], sites: &mut Vec<CallSite>) -> Result<(), LinkError> {
        let mut offset = fixup.offset as usize;
        let mut site = None;
        let symbol = match fixup.source {
            Source::Inside(piece, at) => self.bases[piece as usize] + at as usize,
            Source::Address(external) => self.bound[external as usize].target.address,
            Source::Branch { external, site: patched } => {
                let bound = &self.bound[external as usize];
                site = bound.target.pending.filter(|_| patched);
                bound.branch
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
        let field = &mut bytes[offset..];
        let short = fixup.form.width() == 4;
        let addend = match field.first_chunk() {
            Some(field) if !short => i64::from_le_bytes(*field),
            _ => fixup.addend.into(),
        };
        let value = fixup
            .form
            .value(symbol, addend, place, self.cell(0))
            .ok_or_else(|| LinkError::OutOfReach(self.describe(fixup.source)))?;
        if short {
            field[..4].copy_from_slice(&(value as u32).to_le_bytes());
        } else {
            field[..8].copy_from_slice(&value.to_le_bytes());
        }
        if let Some(pending) = site {
            // The opcode, e8 or e9, is the byte before the displacement.
            sites.push(CallSite { address: place - 1, target: symbol, pending });
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
        let packed = self.unit.frame_index.as_chunks().0;
        if packed.is_empty() {
            let fdes = eh_frame::index(bytes, address, &code.text)
                .map_err(|what| malformed(format!(".eh_frame has {what}")))?;
            code.fdes = fdes.iter().map(|fde| Entry::of(fde, self.bases[0], address)).collect();
            return Ok(());
        }
        code.fdes.reserve_exact(packed.len() + 1);
        code.fdes.extend(packed.iter().map(Entry::unpacked));
        if !self.new_stubs.is_empty() {
            let start = self.sizes.far_stubs;
            let end = start + self.new_stubs.len() * FAR_STUB;
            let fde = self.sizes.far_frame - self.sizes.frames + eh_frame::PLAIN_FDE;
            code.fdes.push(Entry { start: start as u32, end: end as u32, fde: fde as u32 });
        }
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
