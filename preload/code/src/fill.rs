//! The second pass of a link: takes a block for a [`Plan`], copies the sections, writes GOT cells and far stubs, applies
//! the relocations, and lists what the runtime wants to know of the result.

use autojit_trampoline::contract::{INDIRECT_LEN, JMP_INDIRECT};
use goblin::elf64::sym::{STB_LOCAL, STT_FUNC, st_bind, st_type};

use crate::eh_frame::{self, PLAIN_FRAME_LEN};
use crate::layout::Layout;
use crate::link::{CallSite, Code, Function, LinkError, Linked, Section};
use crate::memory::{Arena, Block};
use crate::object::malformed;
use crate::plan::{Fixup, Place, Plan, Source};

/// Bytes of a far stub: the jump, and padding.
const FAR_STUB: usize = 8;
const _: () = assert!(INDIRECT_LEN <= FAR_STUB);
/// `int3`, between and behind functions.
const TRAP: u8 = 0xcc;

/// Takes a block for `plan` and fills it; no arena's piece may exceed `limit` bytes.
pub fn fill<'a>(mut plan: Plan<'a, '_>, limit: usize) -> Result<Linked<'a>, LinkError> {
    let layout = &mut plan.layout;
    let far_stubs = layout.add(Arena::Text, plan.far_stubs.len() * FAR_STUB, 8, limit)?;
    let mut far_frame = None;
    if !plan.far_stubs.is_empty() {
        let align = if layout.eh_frame.is_none() { 8 } else { 1 };
        let offset = layout.add(Arena::Rodata, PLAIN_FRAME_LEN, align, limit)?;
        layout.eh_frame.get_or_insert(offset);
        far_frame = Some(offset);
    }
    if layout.eh_frame.is_some() {
        layout.add(Arena::Rodata, 4, 1, limit)?;
    }
    let cells = plan.cells.len().max(usize::from(plan.uses_got));
    let cells = layout.add(Arena::Data, cells * 8, 8, limit)?;

    let block = plan.memory.block(layout.sizes, layout.aligns)?;
    let bases = Arena::ALL.map(|arena| block.address(arena));
    Fill { plan: &plan, bases, far_stubs, far_frame, cells }.all(block)
}

/// The link with its addresses.
struct Fill<'p, 'a, 'l> {
    plan: &'p Plan<'a, 'l>,
    /// The addresses of the three pieces.
    bases: [usize; 3],
    /// Offsets in their pieces: far stubs (text), their frame (rodata), GOT cells (data).
    far_stubs: usize,
    far_frame: Option<usize>,
    cells: usize,
}

impl<'a> Fill<'_, 'a, '_> {
    fn all(&self, mut block: Block<'a>) -> Result<Linked<'a>, LinkError> {
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
        Ok(Linked::new(self.plan.memory, block, code, far_stubs))
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
