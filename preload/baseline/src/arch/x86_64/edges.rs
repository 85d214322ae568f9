//! Edges between blocks: the moves that give phis their values, and the branches along them.
//!
//! All moves of an edge happen at once, as far as the phis see. Apart from the phis' homes they only touch r11 and xmm15, never
//! a register that holds a value, so they may stand between a branch and its target without the other side noticing.

use autojit_bitcode::Block;

use super::Compiler;
use super::asm::{Cond, Label, Mem, Prefix, Sse, Width, gp};
use super::constants::Source;
use super::registers::{Reg, SCRATCH, SCRATCH_X, slot_width};
use super::values::{Assignment, ValueState};
use crate::analysis::Input;
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

/// Entries of the jump tables.
#[derive(Debug)]
pub(crate) struct JumpTable {
    /// Where in the function's read-only memory.
    pub offset: u32,
    /// Where each entry leads.
    pub targets: Vec<Label>,
}

/// When a branch is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// This flag.
    One(Cond),
    /// Both.
    And(Cond, Cond),
    /// One of them, or both.
    Or(Cond, Cond),
    /// Known in advance.
    Known(bool),
}

impl Condition {
    /// The opposite.
    pub(crate) fn not(self) -> Self {
        match self {
            Self::One(cond) => Self::One(cond.not()),
            Self::And(a, b) => Self::Or(a.not(), b.not()),
            Self::Or(a, b) => Self::And(a.not(), b.not()),
            Self::Known(known) => Self::Known(!known),
        }
    }
}

/// Where a move's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Reg(Reg),
    Slot(i32),
    Frame(i32),
    Bits(u128),
    Symbol(u32, i64),
    Block(u32),
}

/// Where a phi's part is: its home, or its slot's distance to rbp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum To {
    Reg(u8),
    Slot(i32),
}

impl To {
    /// The same place as the source of a move.
    fn as_source(self) -> From {
        match self {
            Self::Reg(reg) => From::Reg(Reg(reg)),
            Self::Slot(slot) => From::Slot(slot),
        }
    }
}

impl From {
    /// The place that is read, if moves may write it.
    fn place(self) -> Option<To> {
        match self {
            Self::Reg(reg) => Some(To::Reg(reg.0)),
            Self::Slot(slot) => Some(To::Slot(slot)),
            _ => None,
        }
    }
}

/// A part of a phi's value on its way to where the phi is.
#[derive(Clone, Copy, Debug)]
struct Move {
    to: To,
    from: From,
    ty: PartType,
}

impl Compiler<'_> {
    /// Whether an edge of this block to `target` may take moves.
    pub(crate) fn may_have_moves(&self, target: u32) -> bool {
        !self.analysis.inputs(self.position, self.position_of(target)).is_empty()
    }

    /// Whether an edge of this block to `target` takes moves, if nothing is emitted before them.
    pub(crate) fn has_moves(&self, target: u32) -> bool {
        let is_there = |input: &Input| {
            let taken = self.analysis.locals.local(input.value);
            taken.is_some_and(|taken| {
                let Assignment { state, count, .. } = self.assignments[taken];
                state == ValueState::Live
                    && (0..count.into()).all(|part| self.is_in_place(input.phi as usize, taken, part))
            })
        };
        let inputs = self.analysis.inputs(self.position, self.position_of(target));
        inputs.iter().any(|input| self.analysis.values[input.phi as usize].uses > 0 && !is_there(input))
    }

    /// Whether a part of a value, which has come into being, is where a phi's is.
    fn is_in_place(&self, phi: usize, local: usize, part: usize) -> bool {
        let (to, from, info) = (&self.assignments[phi], &self.assignments[local], self.part(local, part));
        match to.home {
            Some(home) => info.reg == Some(home),
            None => info.stored && to.slot != 0 && to.slot == from.slot,
        }
    }

    fn position_of(&self, block: u32) -> u32 {
        self.analysis.order.positions.get(block as usize).copied().unwrap_or(0)
    }

    /// Whether a block comes next.
    pub(crate) fn is_next(&self, block: u32) -> bool {
        self.position_of(block) == self.position + 1
    }

    /// Moves, then control goes to `target`; nothing more is emitted for this path.
    pub(crate) fn go_to(&mut self, target: u32) -> Result<(), Refused> {
        self.edge_moves(target)?;
        self.continue_at(target);
        Ok(())
    }

    /// Control goes to `target`, for which all moves were made.
    pub(crate) fn continue_at(&mut self, target: u32) {
        if !self.is_next(target) {
            self.asm.jmp(self.labels[target as usize]);
        }
    }

    /// Branches on a condition. The registers are as they will be at both targets.
    pub(crate) fn branch(&mut self, condition: Condition, yes: u32, no: u32) -> Result<(), Refused> {
        if let Condition::Known(known) = condition {
            return self.go_to(if known { yes } else { no });
        }
        if yes == no {
            return self.go_to(yes);
        }
        let (condition, yes, no) = if self.is_next(yes) && !self.has_moves(yes) {
            (condition.not(), no, yes)
        } else {
            (condition, yes, no)
        };
        let moves = self.has_moves(yes);
        let label = if moves { self.asm.label() } else { self.labels[yes as usize] };
        self.jump_if(condition, label);
        self.edge_moves(no)?;
        if moves {
            self.asm.jmp(self.labels[no as usize]);
            self.asm.bind(label);
            self.go_to(yes)
        } else {
            if !self.is_next(no) {
                self.asm.jmp(self.labels[no as usize]);
            }
            Ok(())
        }
    }

    /// Jumps to a label on a condition.
    pub(crate) fn jump_if(&mut self, condition: Condition, label: Label) {
        match condition {
            Condition::One(cond) => self.asm.jcc(cond, label),
            Condition::Or(a, b) => {
                self.asm.jcc(a, label);
                self.asm.jcc(b, label);
            }
            Condition::And(a, b) => {
                let skip = self.asm.label();
                self.asm.jcc(a.not(), skip);
                self.asm.jcc(b, label);
                self.asm.bind(skip);
            }
            Condition::Known(true) => self.asm.jmp(label),
            Condition::Known(false) => {}
        }
    }

    /// The moves of the edge from this block to `target`.
    pub(crate) fn edge_moves(&mut self, target: u32) -> Result<(), Refused> {
        let analysis = self.analysis;
        let target = self.position_of(target);
        let inputs = analysis.inputs(self.position, target);
        let mut moves = Vec::new();
        let mut parallel = false;
        let mut last = None;
        for input in inputs {
            let phi = input.phi as usize;
            // An edge that exists several times has the same values each time.
            if analysis.values[phi].uses == 0 || last == Some(phi) {
                continue;
            }
            last = Some(phi);
            self.assign(phi)?;
            for part in 0..self.assignments[phi].count as usize {
                let ty = self.part(phi, part).ty;
                let to = match self.assignments[phi].home {
                    Some(home) => To::Reg(home.0),
                    None => To::Slot(self.slot(phi, part)?.disp),
                };
                let from = match self.source(input.value, part)? {
                    Source::Local(local, part) => match self.assignments[local].state {
                        ValueState::Frame(offset) => From::Frame(offset),
                        ValueState::Live if self.is_in_place(phi, local, part) => continue,
                        ValueState::Live => {
                            match self.part(local, part).reg {
                                Some(reg) => {
                                    // It may be overwritten before it is read, as may a slot.
                                    parallel |= self.regs.is_reserved(reg);
                                    From::Reg(reg)
                                }
                                None if self.part(local, part).stored => {
                                    parallel = true;
                                    From::Slot(self.slot(local, part)?.disp)
                                }
                                None => return Err(Reason::Internal("a phi takes what is nowhere").into()),
                            }
                        }
                        _ => return Err(Reason::Internal("a phi takes what is not defined").into()),
                    },
                    Source::Bits(bits) => From::Bits(bits),
                    Source::Symbol(global, addend) => From::Symbol(global, addend),
                    Source::Block(block) => From::Block(block),
                };
                if from != to.as_source() {
                    moves.push(Move { to, from, ty });
                }
            }
        }
        if parallel && moves.len() > 1 {
            self.move_at_once(moves)
        } else {
            moves.into_iter().try_for_each(|it| self.emit_move(it))
        }
    }

    /// Emits moves in an order in which none overwrites what another still reads; cycles are broken with r11, xmm15 or a slot.
    fn move_at_once(&mut self, mut moves: Vec<Move>) -> Result<(), Refused> {
        moves.sort_unstable_by_key(|it| it.to);
        let index_of = |moves: &[Move], from: From| {
            let place = from.place()?;
            moves.binary_search_by_key(&place, |it| it.to).ok()
        };
        // How many moves still read what a move overwrites.
        let mut readers = vec![0_u32; moves.len()];
        for it in &moves {
            if let Some(index) = index_of(&moves, it.from) {
                readers[index] += 1;
            }
        }
        let mut ready: Vec<usize> = (0..moves.len()).filter(|index| readers[*index] == 0).collect();
        let mut done = vec![false; moves.len()];
        let mut next = 0;
        loop {
            while let Some(index) = ready.pop() {
                let it = moves[index];
                done[index] = true;
                self.emit_move(it)?;
                if let Some(freed) = index_of(&moves, it.from) {
                    readers[freed] -= 1;
                    if readers[freed] == 0 && !done[freed] {
                        ready.push(freed);
                    }
                }
            }
            while done.get(next) == Some(&true) {
                next += 1;
            }
            let Some(it) = moves.get(next).copied() else { return Ok(()) };
            // Only cycles are left, in which each is read by one. What this one overwrites is kept elsewhere.
            let mut at = it;
            while let (To::Reg(_), Some(before)) = (at.to, index_of(&moves, at.from)) {
                if before == next {
                    break;
                }
                at = moves[before];
            }
            let only_registers = matches!(at.to, To::Reg(_));
            let spare = match it.ty.bank {
                // Moves between registers do not need it.
                Bank::Gp if only_registers => To::Reg(Reg::from(SCRATCH).0),
                Bank::Xmm if only_registers => To::Reg(Reg::from(SCRATCH_X).0),
                _ => To::Slot(self.frame.allocate_slot(16)?),
            };
            self.emit_move(Move { to: spare, from: it.to.as_source(), ty: it.ty })?;
            for other in &mut moves {
                if other.from == it.to.as_source() {
                    other.from = spare.as_source();
                }
            }
            readers[next] = 0;
            ready.push(next);
        }
    }

    fn emit_move(&mut self, Move { to, from, ty }: Move) -> Result<(), Refused> {
        let to = match to {
            To::Reg(reg) => return self.emit_move_home(Reg(reg), from, ty),
            To::Slot(slot) => Mem::at(gp::RBP, slot),
        };
        let width = slot_width(ty.bits);
        match (ty.bank, from) {
            (Bank::Gp, From::Bits(bits)) => match i32::try_from(bits as i64) {
                _ if width == Width::B4 => self.asm.mov_mi(width, to, bits as i32),
                Ok(imm) => self.asm.mov_mi(width, to, imm),
                Err(_) => {
                    self.asm.mov_i(SCRATCH, bits as u64);
                    self.asm.mov_mr(width, to, SCRATCH);
                }
            },
            (Bank::Gp, From::Reg(reg)) => self.asm.mov_mr(width, to, reg.gp()),
            (Bank::Gp, From::Slot(slot)) => {
                self.asm.mov(width, SCRATCH, Mem::at(gp::RBP, slot));
                self.asm.mov_mr(width, to, SCRATCH);
            }
            (Bank::Gp, From::Frame(offset)) => {
                self.asm.lea(SCRATCH, Mem::at(gp::RBP, offset));
                self.asm.mov_mr(width, to, SCRATCH);
            }
            (Bank::Gp, From::Symbol(global, addend)) => {
                if i32::try_from(addend).is_err() {
                    return Err(Reason::Size.into());
                }
                self.load_symbol(SCRATCH, global, addend)?;
                self.asm.mov_mr(width, to, SCRATCH);
            }
            (Bank::Gp, From::Block(block)) => {
                let base = super::asm::Base::Label(self.block_label(block)?);
                self.asm.lea(SCRATCH, Mem { base, index: None, disp: 0 });
                self.asm.mov_mr(width, to, SCRATCH);
            }
            (_, From::Reg(reg)) => self.asm.store_x(vector_bytes(ty), to, reg.xmm()),
            (_, From::Slot(slot)) => {
                self.asm.load_x(vector_bytes(ty), SCRATCH_X, Mem::at(gp::RBP, slot));
                self.asm.store_x(vector_bytes(ty), to, SCRATCH_X);
            }
            (_, From::Bits(0)) => {
                self.asm.sse(Prefix::None, Sse::Xor, SCRATCH_X, SCRATCH_X);
                self.asm.store_x(vector_bytes(ty), to, SCRATCH_X);
            }
            (_, From::Bits(bits)) => {
                let from = self.constant_memory(bits, vector_bytes(ty));
                self.asm.load_x(vector_bytes(ty), SCRATCH_X, from);
                self.asm.store_x(vector_bytes(ty), to, SCRATCH_X);
            }
            (_, From::Frame(_) | From::Symbol(..) | From::Block(_)) => {
                return Err(Reason::Internal("an address as a float").into());
            }
        }
        Ok(())
    }

    /// A part of a phi goes to the register that the phi has for itself.
    fn emit_move_home(&mut self, to: Reg, from: From, ty: PartType) -> Result<(), Refused> {
        match (ty.bank, from) {
            (_, From::Reg(reg)) => self.move_register(to, reg),
            (_, From::Slot(slot)) => self.load_slot(to, ty.bits, Mem::at(gp::RBP, slot)),
            (Bank::Gp, From::Bits(bits)) => {
                self.asm.mov_i(to.gp(), if ty.bits <= 32 { u64::from(bits as u32) } else { bits as u64 });
            }
            (Bank::Gp, From::Frame(offset)) => self.asm.lea(to.gp(), Mem::at(gp::RBP, offset)),
            (Bank::Gp, From::Symbol(global, addend)) => {
                if i32::try_from(addend).is_err() {
                    return Err(Reason::Size.into());
                }
                self.load_symbol(to.gp(), global, addend)?;
            }
            (Bank::Gp, From::Block(block)) => {
                let base = super::asm::Base::Label(self.block_label(block)?);
                self.asm.lea(to.gp(), Mem { base, index: None, disp: 0 });
            }
            (_, From::Bits(bits)) => self.load_vector_constant(to.xmm(), bits, vector_bytes(ty)),
            (_, From::Frame(_) | From::Symbol(..) | From::Block(_)) => {
                return Err(Reason::Internal("an address as a float").into());
            }
        }
        Ok(())
    }

    /// Fills in the jump tables. The function begins at `start`.
    pub(crate) fn finish_tables(&mut self, start: u32) -> Result<(), Refused> {
        for JumpTable { offset, targets } in std::mem::take(&mut self.tables) {
            for (index, target) in targets.into_iter().enumerate() {
                let offset_of_case =
                    self.asm.offset_of(target).ok_or(Reason::Internal("a case leads nowhere"))?;
                self.rodata.set_entry(offset, index as u32, offset_of_case - start);
            }
        }
        Ok(())
    }

    /// The targets of the block's terminator.
    pub(crate) fn successors(&self) -> &[Block] {
        let block = self.analysis.order.blocks[self.position as usize];
        self.body.successors(Block(block))
    }
}

/// Bytes of a slot that a float or vector takes.
fn vector_bytes(ty: PartType) -> u32 {
    match ty.bits {
        0..=32 => 4,
        33..=64 => 8,
        _ => 16,
    }
}
