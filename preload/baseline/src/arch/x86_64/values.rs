//! Values: where each part is, and how instructions come to their operands and leave their results.
//!
//! A value is *deferred* while its only user, in the same block, may take the computation into its own operands: an
//! address, a comparison, a load. Whatever reads it in another way makes it come into being first, so a deferred value
//! may be used like any other.

mod operands;

use autojit_bitcode::Value;

use super::Compiler;
use super::asm::{Alu, Gp, Mem, Width, gp};
use super::registers::Reg;
use crate::parts::{Bank, PartType, Parts};
use crate::refused::{Reason, Refused};

/// How deeply deferred values may consist of others.
const DEEPEST: u8 = 6;

/// Where a value stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ValueState {
    /// Not defined yet, or not used any more.
    #[default]
    None,
    /// An instruction that has not been emitted, and how many others it consists of.
    Deferred(u32, u8),
    /// The address of the frame's bytes from this distance to rbp on.
    Frame(i32),
    /// A variable that is in this register.
    Variable(Reg),
    /// In registers or its slot.
    Live,
}

/// A value of the function.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Assignment {
    /// Where it stands.
    pub state: ValueState,
    /// Its first part.
    pub first: u32,
    /// The number of its parts.
    pub count: u8,
    /// The register that it has from its definition to its last use, if it has one for itself.
    pub home: Option<Reg>,
    /// Uses that are still to come.
    pub remaining: u32,
    /// Its slot's distance to rbp, or 0.
    pub slot: i32,
    /// The slot's size.
    pub slot_bytes: u32,
    /// The slot is not given to anything else when the value is not needed any more.
    pub is_shared: bool,
}

/// A part of a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// What it is.
    pub ty: PartType,
    /// The register that it is in.
    pub reg: Option<Reg>,
    /// The slot holds it.
    pub stored: bool,
    /// Its offset in the slot.
    pub offset: u32,
}

impl Compiler<'_> {
    /// The types of the parts of a value.
    pub(crate) fn parts_of(&mut self, value: Value) -> Result<Parts, Refused> {
        let ty = self.type_of(value)?;
        self.part_table.of(self.types, ty)
    }

    /// The type of a part of a value.
    pub(crate) fn part_type(&mut self, value: Value, part: usize) -> Result<PartType, Refused> {
        let ty = self.type_of(value)?;
        if part == 0
            && let Some(single) = self.part_table.single(self.types, ty)?
        {
            return Ok(single);
        }
        let parts = self.part_table.of(self.types, ty)?;
        parts.get(part).copied().ok_or(Reason::Internal("a part out of range").into())
    }

    /// The only part of a value that has one.
    pub(crate) fn single(&mut self, value: Value) -> Result<PartType, Refused> {
        let ty = self.type_of(value)?;
        let single = self.part_table.single(self.types, ty)?;
        single.ok_or_else(|| Reason::Type("of several parts here").into())
    }

    /// A part of a value that has parts.
    pub(crate) fn part(&self, local: usize, part: usize) -> &Part {
        &self.parts[self.assignments[local].first as usize + part]
    }

    /// The same, to be changed.
    pub(crate) fn part_mut(&mut self, local: usize, part: usize) -> &mut Part {
        &mut self.parts[self.assignments[local].first as usize + part]
    }

    /// Gives a value parts, if it has none yet.
    pub(crate) fn assign(&mut self, local: usize) -> Result<(), Refused> {
        if self.assignments[local].state != ValueState::None {
            return Ok(());
        }
        let ty = self.type_of(self.analysis.locals.value(local))?;
        let first = self.parts.len() as u32;
        if let Some(ty) = self.part_table.single(self.types, ty)? {
            let reg = self.assignments[local].home;
            self.parts.push(Part { ty, reg, stored: ty.bank == Bank::X87, offset: 0 });
            let assignment = &mut self.assignments[local];
            (assignment.state, assignment.first, assignment.count) = (ValueState::Live, first, 1);
            assignment.slot_bytes = ty.slot_bytes();
            return Ok(());
        }
        let types = self.part_table.of(self.types, ty)?;
        let mut offset = 0_u32;
        for &ty in &*types {
            let bytes = ty.slot_bytes();
            offset = offset.next_multiple_of(bytes);
            self.parts.push(Part { ty, reg: None, stored: ty.bank == Bank::X87, offset });
            offset += bytes;
        }
        let assignment = &mut self.assignments[local];
        (assignment.state, assignment.first, assignment.count) = (ValueState::Live, first, types.len() as u8);
        assignment.slot_bytes = offset;
        Ok(())
    }

    /// The slot of a part.
    pub(crate) fn slot(&mut self, local: usize, part: usize) -> Result<Mem, Refused> {
        let Assignment { slot, slot_bytes, .. } = self.assignments[local];
        let slot = if slot == 0 {
            let slot = self.frame.allocate_slot(slot_bytes)?;
            self.assignments[local].slot = slot;
            slot
        } else {
            slot
        };
        Ok(Mem::at(gp::RBP, slot + self.part(local, part).offset as i32))
    }

    /// A use of a value is over. A value without further uses gives up its registers and its slot.
    pub(crate) fn consume(&mut self, value: Value) {
        if let Some(local) = self.analysis.locals.local(value) {
            self.consume_local(local);
        }
    }

    fn consume_local(&mut self, local: usize) {
        if let ValueState::Deferred(inst, _) = self.assignments[local].state {
            self.assignments[local].state = ValueState::None;
            self.consume_operands(inst);
        }
        let assignment = &mut self.assignments[local];
        assignment.remaining = assignment.remaining.saturating_sub(1);
        if assignment.remaining == 0 && !self.analysis.values[local].looped {
            self.free(local);
        }
    }

    /// The uses that an instruction makes are over.
    pub(crate) fn consume_operands(&mut self, inst: u32) {
        let body = self.body;
        if let Some(instruction) = body.instructions.get(inst as usize) {
            for &operand in body.operands(instruction) {
                if let Some(local) = self.analysis.locals.local(operand) {
                    self.consume_local(local);
                }
            }
        }
    }

    /// A value is not needed any more.
    pub(crate) fn free(&mut self, local: usize) {
        let Assignment { state, count, home, slot, slot_bytes, is_shared, .. } = self.assignments[local];
        if state != ValueState::Live {
            return;
        }
        for part in 0..count as usize {
            if let Some(reg) = self.part_mut(local, part).reg.take()
                && home.is_none()
            {
                self.regs.release(reg);
            }
        }
        // Slots above rbp are the caller's.
        if slot < 0 && !is_shared {
            self.frame.free_slot(slot, slot_bytes);
        }
        self.assignments[local].state = ValueState::None;
    }

    /// Whether the instruction that is being lowered is the last that reads a value.
    pub(crate) fn dies(&self, local: usize) -> bool {
        let (assignment, info) = (&self.assignments[local], &self.analysis.values[local]);
        // A phi's register may hold something else until an edge writes it again.
        let looped = if assignment.home.is_some() { info.again } else { info.looped };
        assignment.remaining == 1 && !looped
    }

    /// A register for the result of the instruction that is being emitted: the one that it is to have, if nothing of that
    /// instruction is in it yet.
    pub(crate) fn fresh(&mut self, bank: Bank) -> Result<Reg, Refused> {
        match self.target.take_if(|target| target.is_vector() == (bank == Bank::Xmm)) {
            Some(target) => {
                self.take(target)?;
                Ok(target)
            }
            None => self.temporary(bank),
        }
    }

    /// Defers an instruction's result if its only user is in the same block; the user may come much later, so nothing
    /// that depends on memory may be deferred.
    pub(crate) fn defer(&mut self, inst: u32) -> bool {
        let body = self.body;
        let Some(instruction) = body.instructions.get(inst as usize) else { return false };
        let Some(local) = self.analysis.locals.local(instruction.result) else { return false };
        let info = self.analysis.values[local];
        let phi = body
            .instructions
            .get(info.user as usize)
            .is_none_or(|user| user.opcode == autojit_bitcode::Opcode::Phi);
        if info.uses != 1 || info.crosses_blocks() || phi {
            return false;
        }
        let depth = |value: &Value| match self.state_of(*value) {
            ValueState::Deferred(_, depth) => depth + 1,
            _ => 0,
        };
        let depth = body.operands(instruction).iter().map(depth).max().unwrap_or(0);
        if depth > DEEPEST {
            return false;
        }
        self.assignments[local].state = ValueState::Deferred(inst, depth);
        true
    }

    /// The instruction of a deferred value.
    pub(crate) fn deferred(&self, value: Value) -> Option<u32> {
        match self.state_of(value) {
            ValueState::Deferred(inst, _) => Some(inst),
            _ => None,
        }
    }

    /// Where a value stands.
    pub(crate) fn state_of(&self, value: Value) -> ValueState {
        self.analysis.locals.local(value).map_or(ValueState::None, |local| self.assignments[local].state)
    }

    /// Makes a deferred value come into being.
    pub(crate) fn force(&mut self, value: Value) -> Result<(), Refused> {
        // A variable's register is as good.
        if self.variable(value).is_some() {
            return Ok(());
        }
        if let Some(inst) = self.deferred(value)
            && let Some(local) = self.analysis.locals.local(value)
        {
            self.assignments[local].state = ValueState::None;
            let before = self.regs.in_use();
            let target = self.target.take();
            self.emit(inst)?;
            self.target = target;
            self.consume_operands(inst);
            // What it took to compute it is over; the result itself may be moved or stored until it is read.
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// Makes the operands of an instruction come into being before it takes particular registers: what that needed is
    /// free again, and everything may be moved. No register may be in use by the instruction yet.
    pub(crate) fn force_all(&mut self, operands: &[Value]) -> Result<(), Refused> {
        for &operand in operands {
            self.force(operand)?;
        }
        self.regs.end_instruction();
        Ok(())
    }

    /// A part of the result of the instruction that is being lowered: what this temporary register holds.
    pub(crate) fn define(&mut self, result: Value, part: usize, reg: impl Into<Reg>) -> Result<(), Refused> {
        let reg = reg.into();
        let Some(local) = self.analysis.locals.local(result) else {
            return Err(Reason::Internal("a result is no value").into());
        };
        if self.assignments[local].remaining == 0 && !self.analysis.values[local].looped {
            return Ok(());
        }
        self.assign(local)?;
        if !self.regs.is_temporary(reg) {
            return Err(Reason::Internal("a result is in use already").into());
        }
        if let Some(home) = self.assignments[local].home {
            self.move_register(home, reg);
            self.regs.free_temporary(home);
            self.part_mut(local, part).reg = Some(home);
            return Ok(());
        }
        let reg = if self.regs.is_reserved(reg) && self.analysis.values[local].crosses_blocks() {
            // It is another value's from the next block on.
            let bank = self.part(local, part).ty.bank;
            let other = self.temporary(bank)?;
            self.move_register(other, reg);
            self.regs.free_temporary(reg);
            other
        } else {
            reg
        };
        self.regs.occupy(reg, local as u32, part as u8);
        let part = self.part_mut(local, part);
        (part.reg, part.stored) = (Some(reg), false);
        Ok(())
    }

    /// The memory of a value that is kept in memory only, to be written.
    pub(crate) fn define_in_memory(&mut self, result: Value, part: usize) -> Result<Mem, Refused> {
        let local = self.analysis.locals.local(result).ok_or(Reason::Internal("a result is no value"))?;
        self.assign(local)?;
        self.part_mut(local, part).stored = true;
        self.slot(local, part)
    }

    /// Clears the bits of a register above `bits`, or fills them with the sign.
    pub(crate) fn extend(&mut self, reg: Gp, bits: u32, signed: bool) {
        match (bits, signed) {
            (64, _) => {}
            (32, false) => self.asm.mov(Width::B4, reg, reg),
            (32, true) => self.asm.movsx(Width::B8, Width::B4, reg, reg),
            (8 | 16, false) => self.asm.movzx(Width::of_bits(bits), reg, reg),
            (8 | 16, true) => self.asm.movsx(Width::B8, Width::of_bits(bits), reg, reg),
            (1..=31, false) => self.asm.alu_i(Alu::And, Width::B4, reg, ((1_u32 << bits) - 1) as i32),
            _ => {
                use super::asm::Shift;
                let right = if signed { Shift::Sar } else { Shift::Shr };
                let width = if bits < 32 { Width::B4 } else { Width::B8 };
                let by = (width.bits() - bits) as u8;
                self.asm.shift_i(Shift::Shl, width, reg, by);
                self.asm.shift_i(right, width, reg, by);
                if width == Width::B4 && signed {
                    self.asm.movsx(Width::B8, Width::B4, reg, reg);
                }
            }
        }
    }
}
