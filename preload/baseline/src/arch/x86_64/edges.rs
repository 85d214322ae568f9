//! Edges between blocks: the moves that give phis their values, and the branches along them.
//!
//! All moves of an edge happen at once, as far as the phis see. They only touch r11 and xmm15, never a register that
//! holds a value, so they may stand between a branch and its target without the other side noticing.

use autojit_bitcode::Block;

use super::Compiler;
use super::asm::{Cond, Label, Mem, Prefix, Sse, Width, gp};
use super::constants::Source;
use super::registers::{Reg, SCRATCH, SCRATCH_X, slot_width};
use super::values::ValueState;
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

/// A part of a phi's value on its way into the phi's slot.
#[derive(Clone, Copy, Debug)]
struct Move {
    to: i32,
    from: From,
    ty: PartType,
}

impl Compiler<'_> {
    /// Whether an edge of this block to `target` takes moves.
    pub(crate) fn has_moves(&self, target: u32) -> bool {
        !self.analysis.inputs(self.position, self.position_of(target)).is_empty()
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

    /// The label to branch to for an edge: the block's own, or one of moves that are still to be emitted.
    pub(crate) fn edge_label(&mut self, target: u32) -> Label {
        if self.has_moves(target) { self.asm.label() } else { self.labels[target as usize] }
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
        let label = self.edge_label(yes);
        self.jump_if(condition, label);
        self.edge_moves(no)?;
        if self.has_moves(yes) {
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
                let slot = self.slot(phi, part)?;
                let from = match self.source(input.value, part)? {
                    Source::Local(local, part) => match self.assignments[local].state {
                        ValueState::Frame(offset) => From::Frame(offset),
                        ValueState::Live => {
                            // Another phi of the target may be overwritten before it is read.
                            parallel |= analysis.values[local].first == target && local != phi;
                            match self.part(local, part).reg {
                                Some(reg) => From::Reg(reg),
                                None if self.part(local, part).stored => {
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
                if from != From::Slot(slot.disp) {
                    moves.push(Move { to: slot.disp, from, ty });
                }
            }
        }
        if parallel {
            self.move_at_once(moves)
        } else {
            moves.into_iter().try_for_each(|it| self.emit_move(it))
        }
    }

    /// Emits moves in an order in which none overwrites what another still reads; cycles are broken with a slot.
    fn move_at_once(&mut self, mut moves: Vec<Move>) -> Result<(), Refused> {
        moves.sort_unstable_by_key(|it| it.to);
        let index_of = |moves: &[Move], slot| moves.binary_search_by_key(&slot, |it| it.to).ok();
        // How many moves still read what a move overwrites.
        let mut readers = vec![0_u32; moves.len()];
        for it in &moves {
            if let From::Slot(slot) = it.from
                && let Some(index) = index_of(&moves, slot)
            {
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
                if let From::Slot(slot) = it.from
                    && let Some(freed) = index_of(&moves, slot)
                {
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
            let spare = self.frame.allocate_slot(16)?;
            self.emit_move(Move { to: spare, from: From::Slot(it.to), ty: it.ty })?;
            for other in &mut moves {
                if other.from == From::Slot(it.to) {
                    other.from = From::Slot(spare);
                }
            }
            readers[next] = 0;
            ready.push(next);
        }
    }

    fn emit_move(&mut self, Move { to, from, ty }: Move) -> Result<(), Refused> {
        let to = Mem::at(gp::RBP, to);
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
