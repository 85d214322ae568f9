//! The emission pass for x86-64: one walk over the blocks, in which registers are assigned while code is written.
//!
//! | step | where |
//! | --- | --- |
//! | frame, prologue, epilogue | [`frame`], [`guard`] |
//! | counters, and where a loop is left for better code | [`counting`], [`stack_map`] |
//! | which value is in which register | [`registers`], [`values`], [`variables`] |
//! | constants and addresses of globals | [`constants`] |
//! | addresses in operands | [`address`] |
//! | where arguments and results are | [`abi`] |
//! | moves between blocks | [`edges`] |
//! | instructions, by kind | [`lower`] |
//! | exceptions | [`exceptions`] |
//! | bytes | [`asm`] |
//!
//! Between blocks values are in their slots. A block that only the one before it leads to goes on with its registers.

mod abi;
mod address;
#[allow(dead_code, reason = "it knows instructions that selection will use")]
pub(crate) mod asm;
mod constants;
mod counting;
mod edges;
mod exceptions;
mod frame;
mod guard;
mod homes;
mod lower;
mod registers;
mod stack_map;
mod values;
mod variables;

use autojit_abi::StackMap;
use autojit_bitcode::{BitcodeModule, Block, FunctionBody, Opcode, TypeTable, Value};

use crate::analysis::{Analysis, NONE};
use crate::code::{Code, LineRow};
use crate::features::Features;
use crate::lists::Lists;
use crate::parts::PartTable;
use crate::refused::{Reason, Refused};
use crate::rodata::Rodata;
use asm::{Assembler, Label};
use frame::FrameLayout;
use registers::RegisterFile;
use values::{Assignment, Part};

pub(crate) use counting::Purpose;

/// The state of the emission.
pub(crate) struct Compiler<'a> {
    module: &'a BitcodeModule<'a>,
    types: &'a TypeTable,
    body: &'a FunctionBody,
    analysis: &'a Analysis,
    part_table: &'a mut PartTable,
    lists: &'a mut Lists,
    features: Features,
    purpose: Purpose,
    asm: Assembler,
    regs: RegisterFile,
    frame: FrameLayout,
    rodata: Rodata,
    /// By local number.
    assignments: Vec<Assignment>,
    parts: Vec<Part>,
    /// By block.
    labels: Vec<Label>,
    /// Behind the prologue.
    entry: Label,
    epilogue: Label,
    /// The position of the block that is being emitted.
    position: u32,
    /// The instruction that is being emitted.
    inst: u32,
    /// The register that its result is to have, if that has one for itself and nothing of the instruction is in it.
    target: Option<registers::Reg>,
    /// Which values have registers for themselves.
    homes: homes::Homes,
    signature: lower::Signature,
    tables: Vec<edges::JumpTable>,
    handlers: exceptions::Handlers,
    lines: Vec<LineRow>,
    /// Blocks whose addresses are taken.
    addressed: Vec<u32>,
    /// Calls in the place of this function.
    tails: Vec<frame::Tail>,
    /// The next `ret` has nothing to do.
    returned: bool,
    /// Places for images of vectors, once there are some.
    images: [Option<i32>; 3],
    counted: counting::Counted,
}

/// Memory that is used again for each function.
#[derive(Default)]
pub(crate) struct Scratch {
    asm: Assembler,
    assignments: Vec<Assignment>,
    parts: Vec<Part>,
    labels: Vec<Label>,
}

/// Compiles a function. The map is there if the purpose asks for one, and the function has the loop.
pub(crate) fn compile(
    module: &BitcodeModule<'_>,
    body: &FunctionBody,
    analysis: &Analysis,
    purpose: Purpose,
    part_table: &mut PartTable,
    lists: &mut Lists,
    scratch: &mut Scratch,
) -> Result<(Code, Option<StackMap>), Refused> {
    let Scratch { mut asm, mut assignments, mut parts, mut labels } = std::mem::take(scratch);
    asm.begin(body.instructions.len(), body.blocks.len());
    let (entry, epilogue) = (asm.label(), asm.label());
    labels.clear();
    labels.extend(body.blocks.iter().map(|_| asm.label()));
    let remaining =
        |info: &crate::analysis::Info| Assignment { remaining: info.uses, ..Assignment::default() };
    assignments.clear();
    assignments.extend(analysis.values.iter().map(remaining));
    parts.clear();
    let mut compiler = Compiler {
        module,
        types: module.types(),
        body,
        analysis,
        part_table,
        lists,
        features: Features::default(),
        purpose,
        asm,
        regs: RegisterFile::default(),
        frame: FrameLayout::default(),
        rodata: Rodata::default(),
        assignments,
        parts,
        labels,
        entry,
        epilogue,
        position: 0,
        inst: 0,
        target: None,
        homes: homes::Homes::default(),
        signature: lower::Signature::default(),
        tables: Vec::new(),
        handlers: exceptions::Handlers::default(),
        lines: Vec::new(),
        addressed: Vec::new(),
        tails: Vec::new(),
        returned: false,
        images: [None; 3],
        counted: counting::Counted::default(),
    };
    compiler.check_function()?;
    compiler.check_labels()?;
    compiler.frame.kept = compiler.calls_what_returns_twice();
    compiler.choose_homes()?;
    compiler.allocate_homes()?;
    compiler.reserve_prologue();
    compiler.begin_rounds();
    compiler.enter()?;
    for position in 0..analysis.order.blocks.len() as u32 {
        compiler.block(position)?;
    }
    compiler.finish(scratch)
}

impl Compiler<'_> {
    /// Emits the block at a position.
    fn block(&mut self, position: u32) -> Result<(), Refused> {
        let (body, analysis) = (self.body, self.analysis);
        let block = analysis.order.blocks[position as usize];
        self.position = position;
        if position > 0 && !self.goes_on(position) {
            self.forget_registers()?;
        }
        self.keep_rounds(position);
        self.asm.bind(self.labels[block as usize]);
        if self.is_counted(position) {
            self.count_round(block)?;
        }
        for (inst, instruction) in body.block(Block(block)) {
            self.inst = inst.0;
            if instruction.opcode == Opcode::Phi {
                self.begin_phi(instruction.result)?;
                continue;
            }
            self.line(inst.0);
            if !self.is_dead(inst.0) {
                self.target = self.home_of(instruction.result);
                self.emit(inst.0)?;
            }
            // The operands of a deferred instruction are needed until its user has taken them.
            if self.deferred(instruction.result).is_none() {
                self.consume_operands(inst.0);
            }
            self.regs.end_instruction();
        }
        for input in analysis.inputs_from(position) {
            self.consume(input.value);
        }
        for &local in analysis.ends_at(position) {
            self.free(local as usize);
        }
        Ok(())
    }

    /// Whether control comes to a position only from the one before: what is in registers there still is.
    fn goes_on(&self, position: u32) -> bool {
        let order = &self.analysis.order;
        let before = order.blocks[position as usize - 1];
        let block = order.blocks[position as usize];
        order.predecessors[position as usize] == 1
            && self.body.successors(Block(before)).contains(&Block(block))
            && !self.is_landing_pad(block)
            && !self.is_dispatched(block)
    }

    /// Empties the registers where control comes from several places. What is live has been stored at their ends.
    fn forget_registers(&mut self) -> Result<(), Refused> {
        for reg in self.regs.occupied() {
            if let Some((local, part)) = self.regs.owner(reg) {
                let part = self.part_mut(local as usize, part as usize);
                part.reg = None;
                if !part.stored {
                    return Err(Reason::Internal("a value is lost between blocks").into());
                }
                self.regs.release(reg);
            }
        }
        Ok(())
    }

    /// A phi's value is where the edges have put it.
    fn begin_phi(&mut self, phi: Value) -> Result<(), Refused> {
        let local = self.analysis.locals.local(phi).ok_or(Reason::Internal("a phi without a result"))?;
        if self.analysis.values[local].uses == 0 {
            return Ok(());
        }
        self.assign(local)?;
        let home = self.assignments[local].home;
        for part in 0..self.assignments[local].count as usize {
            let part = self.part_mut(local, part);
            (part.reg, part.stored) = (home, home.is_none());
        }
        Ok(())
    }

    /// Writes what must be in its slot when this block ends.
    fn store_live(&mut self) -> Result<(), Refused> {
        for reg in self.regs.occupied() {
            if let Some((local, part)) = self.regs.owner(reg)
                && self.analysis.values[local as usize].crosses_blocks()
            {
                self.store_part(local as usize, part as usize)?;
            }
        }
        Ok(())
    }

    /// Whether an instruction has no effect and no users.
    fn is_dead(&self, inst: u32) -> bool {
        let Some(instruction) = self.body.instructions.get(inst as usize) else { return false };
        let unused = |local: usize| self.analysis.values[local].uses == 0;
        lower::is_pure(instruction) && self.analysis.locals.local(instruction.result).is_some_and(unused)
    }

    /// Notes that an instruction's code begins here, if its line is another one.
    fn line(&mut self, inst: u32) {
        let location = self.body.location(autojit_bitcode::Inst(inst));
        if location.is_none() {
            return;
        }
        let offset = self.asm.offset();
        if let Some(last) = self.lines.last_mut() {
            if self.body.location(autojit_bitcode::Inst(last.instruction)) == location {
                return;
            }
            if last.offset == offset {
                last.instruction = inst;
                return;
            }
        }
        self.lines.push(LineRow { offset, instruction: inst });
    }

    /// The label of a block.
    fn block_label(&mut self, block: u32) -> Result<Label, Refused> {
        let label = self.labels.get(block as usize).copied();
        let position = self.analysis.order.positions.get(block as usize);
        if position.is_none_or(|position| *position == NONE) {
            return Err(Reason::Form("the address of a block that is not reached").into());
        }
        self.addressed.push(block);
        Ok(label.ok_or(Reason::Internal("a block out of range"))?)
    }

    /// The blocks to which `indirectbr` leads, and where they are from the function's beginning.
    fn indirect_targets(&self, start: u32) -> Vec<(u32, u32)> {
        let order = &self.analysis.order;
        let mut targets: Vec<u32> = order
            .blocks
            .iter()
            .filter(|block| {
                let end = self.body.blocks.get(**block as usize).map_or(0, |block| block.end);
                let last = self.body.instructions.get(end.wrapping_sub(1) as usize);
                last.is_some_and(|last| last.opcode == Opcode::IndirectBr)
            })
            .flat_map(|block| self.body.successors(Block(*block)))
            .map(|target| target.0)
            .collect();
        targets.sort_unstable();
        targets.dedup();
        let at = |block: u32| {
            let label = self.labels.get(block as usize)?;
            Some((block, self.asm.offset_of(*label)? - start))
        };
        targets.into_iter().filter_map(at).collect()
    }

    /// What comes behind the last block, and all that is open.
    fn finish(mut self, scratch: &mut Scratch) -> Result<(Code, Option<StackMap>), Refused> {
        let (start, mut frame) = self.finish_frame();
        self.finish_tables(start)?;
        let (lsda, personality) = self.finish_exceptions(start)?;
        let blocks = self.indirect_targets(start);
        let mut relocations = self.asm.finish().ok_or(Reason::Size)?;
        // The function begins where its prologue does.
        for relocation in &mut relocations {
            relocation.offset -= start;
        }
        for row in &mut self.lines {
            row.offset -= start;
        }
        let offsets = [&mut frame.pushed, &mut frame.established, &mut frame.saved];
        for at in offsets.into_iter().chain(&mut frame.outside) {
            *at -= start;
        }
        for (from, to) in &mut frame.returns {
            (*from, *to) = (*from - start, *to - start);
        }
        let loops = self.counted.loops();
        let text = self.asm.bytes().get(start as usize..).unwrap_or_default().to_vec();
        *scratch =
            Scratch { asm: self.asm, assignments: self.assignments, parts: self.parts, labels: self.labels };
        let code = Code {
            text,
            rodata: self.rodata.bytes,
            rodata_align: Rodata::ALIGN,
            text_relocations: relocations,
            rodata_relocations: self.rodata.relocations,
            frame,
            lsda,
            personality,
            blocks,
            lines: self.lines,
            loops,
        };
        Ok((code, self.counted.map))
    }
}
