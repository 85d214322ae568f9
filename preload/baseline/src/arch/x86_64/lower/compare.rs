//! Comparisons, and what is made of them.

use autojit_bitcode::{Opcode, Predicate, Type, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Prefix, Rm, Sse, Width, X87};
use super::super::edges::Condition;
use super::super::registers::Reg;
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// Defers a comparison that only a branch or `select` of the same block looks at.
    pub(crate) fn defer_comparison(&mut self, inst: u32) -> bool {
        let Some(instruction) = self.body.instructions.get(inst as usize) else { return false };
        let Some(local) = self.analysis.locals.local(instruction.result) else { return false };
        let user = self.analysis.values[local].user;
        let operands = self.body.operands(instruction);
        let Some(user_of) = self.body.instructions.get(user as usize) else { return false };
        // As a condition, not as one of the values that are chosen from.
        let condition = matches!(user_of.opcode, Opcode::CondBr | Opcode::Select)
            && self.body.operands(user_of).first() == Some(&instruction.result);
        // A load that is part of it must not move away.
        let loads = operands.iter().any(|operand| self.deferred_load_of(*operand).is_some());
        condition && (!loads || user == inst + 1) && self.defer(inst)
    }

    /// Lowers a comparison to a value of one bit.
    pub(crate) fn lower_comparison(&mut self, inst: u32, left: Value, _right: Value) -> Result<(), Refused> {
        let instruction = self.instruction(inst)?;
        let result = instruction.result;
        if matches!(self.types.get(self.type_of(left)?), Type::Vector { .. }) {
            return Err(Reason::Vector("comparison").into());
        }
        let condition = self.compare(inst)?;
        let reg = self.temporary_gp()?;
        self.set(condition, reg)?;
        self.define(result, 0, reg)
    }

    /// reg = 1 if the condition holds, else 0; in 8 bits
    pub(crate) fn set(&mut self, condition: Condition, reg: Gp) -> Result<(), Refused> {
        match condition {
            Condition::One(cond) => self.asm.setcc(cond, reg),
            Condition::And(a, b) | Condition::Or(a, b) => {
                let other = self.temporary_gp()?;
                self.asm.setcc(a, reg);
                self.asm.setcc(b, other);
                let alu = if matches!(condition, Condition::And(..)) { Alu::And } else { Alu::Or };
                self.asm.alu(alu, Width::B4, reg, other);
            }
            Condition::Known(known) => self.asm.mov_i(reg, known.into()),
        }
        Ok(())
    }

    /// Emits a comparison. The flags hold until something else changes them.
    pub(crate) fn compare(&mut self, inst: u32) -> Result<Condition, Refused> {
        let body = self.body;
        let instruction = body.instructions.get(inst as usize);
        let instruction = instruction.ok_or(Reason::Internal("an instruction out of range"))?;
        let &[left, right] = body.operands(instruction) else {
            return Err(Reason::Internal("a comparison without operands").into());
        };
        let predicate = instruction.predicate();
        let parts = self.parts_of(left)?;
        match (instruction.opcode, &*parts) {
            (Opcode::ICmp, [part]) if part.bank == Bank::Gp => {
                self.compare_ints(predicate, left, right, *part)
            }
            (Opcode::ICmp, [_, high]) => self.compare_wide(predicate, left, right, *high),
            (Opcode::FCmp, [part]) if part.bank == Bank::Xmm && !part.vector => {
                self.compare_floats(predicate, left, right, part.bits == 64)
            }
            (Opcode::FCmp, [part]) if part.bank == Bank::X87 => self.compare_x87(predicate, left, right),
            _ => Err(Reason::Vector("comparison").into()),
        }
    }

    fn compare_ints(
        &mut self,
        predicate: Predicate,
        left: Value,
        right: Value,
        part: PartType,
    ) -> Result<Condition, Refused> {
        let cond = int_condition(predicate)?;
        let bits = u32::from(part.bits);
        let width = Width::of_bits(bits);
        if bits != width.bits() {
            // Neither register says anything above its width.
            let signed = matches!(cond, Cond::L | Cond::Ge | Cond::Le | Cond::G);
            let (a, b) = (self.own_gp(left, 0)?, self.own_gp(right, 0)?);
            self.extend(a, bits, signed);
            self.extend(b, bits, signed);
            self.asm.alu(Alu::Cmp, width.at_least_32(), a, b);
            return Ok(Condition::One(cond));
        }
        if self.constant_bits(left)?.is_some() && self.constant_bits(right)?.is_none() {
            return self.compare_ints_in_order(cond.swapped(), right, left, width);
        }
        self.compare_ints_in_order(cond, left, right, width)
    }

    fn compare_ints_in_order(
        &mut self,
        cond: Cond,
        left: Value,
        right: Value,
        width: Width,
    ) -> Result<Condition, Refused> {
        if let Some(imm) = self.immediate(right, 0, width)? {
            let left = self.operand(left, 0, width.bytes())?;
            match left {
                Rm::Reg(reg) if imm == 0 => self.asm.test(width, Gp(reg), Gp(reg)),
                left => self.asm.alu_i(Alu::Cmp, width, left, imm),
            }
            return Ok(Condition::One(cond));
        }
        // The right one first: what it takes to compute it may need registers.
        let right = self.operand(right, 0, width.bytes())?;
        if let Rm::Reg(right) = right {
            match self.operand(left, 0, width.bytes())? {
                Rm::Reg(left) => self.asm.alu(Alu::Cmp, width, Gp(left), Gp(right)),
                Rm::Mem(left) => self.asm.alu_mr(Alu::Cmp, width, left, Gp(right)),
            }
        } else {
            let left = self.gp(left, 0)?;
            self.asm.alu(Alu::Cmp, width, left, right);
        }
        Ok(Condition::One(cond))
    }

    fn compare_wide(
        &mut self,
        predicate: Predicate,
        left: Value,
        right: Value,
        high: PartType,
    ) -> Result<Condition, Refused> {
        let cond = int_condition(predicate)?;
        let signed = matches!(cond, Cond::L | Cond::Ge | Cond::Le | Cond::G);
        let (low_a, high_a) = (self.own_gp(left, 0)?, self.own_gp(left, 1)?);
        let (low_b, high_b) = (self.own_gp(right, 0)?, self.own_gp(right, 1)?);
        if high.bits < 64 {
            self.extend(high_a, high.bits.into(), signed);
            self.extend(high_b, high.bits.into(), signed);
        }
        match cond {
            Cond::E | Cond::Ne => {
                self.asm.alu(Alu::Xor, Width::B8, low_a, low_b);
                self.asm.alu(Alu::Xor, Width::B8, high_a, high_b);
                self.asm.alu(Alu::Or, Width::B8, low_a, high_a);
                Ok(Condition::One(cond))
            }
            // a > b is b < a; the difference tells less and not less.
            Cond::A | Cond::Be | Cond::G | Cond::Le => {
                self.asm.alu(Alu::Cmp, Width::B8, low_b, low_a);
                self.asm.alu(Alu::Sbb, Width::B8, high_b, high_a);
                Ok(Condition::One(cond.swapped()))
            }
            _ => {
                self.asm.alu(Alu::Cmp, Width::B8, low_a, low_b);
                self.asm.alu(Alu::Sbb, Width::B8, high_a, high_b);
                Ok(Condition::One(cond))
            }
        }
    }

    fn compare_floats(
        &mut self,
        predicate: Predicate,
        left: Value,
        right: Value,
        double: bool,
    ) -> Result<Condition, Refused> {
        let (condition, swap) = match float_condition(predicate) {
            Ok(found) => found,
            Err(known) => return Ok(Condition::Known(known)),
        };
        let (left, right) = if swap { (right, left) } else { (left, right) };
        let right = self.operand(right, 0, if double { 8 } else { 4 })?;
        let left = self.xmm(left, 0)?;
        let prefix = if double { Prefix::P66 } else { Prefix::None };
        self.asm.sse(prefix, Sse::Ucomi, left, right);
        Ok(condition)
    }

    fn compare_x87(&mut self, predicate: Predicate, left: Value, right: Value) -> Result<Condition, Refused> {
        let (condition, swap) = match float_condition(predicate) {
            Ok(found) => found,
            Err(known) => return Ok(Condition::Known(known)),
        };
        let (left, right) = if swap { (right, left) } else { (left, right) };
        let (left, right) = (self.memory(left, 0)?, self.memory(right, 0)?);
        self.asm.fld(10, right);
        self.asm.fld(10, left);
        self.asm.x87(X87::Fucomip);
        // Leaves the flags alone.
        self.asm.x87(X87::FstpSt0);
        Ok(condition)
    }

    /// Lowers `select`.
    pub(crate) fn lower_select(
        &mut self,
        result: Value,
        condition: Value,
        yes: Value,
        no: Value,
    ) -> Result<(), Refused> {
        if matches!(self.types.get(self.type_of(condition)?), Type::Vector { .. }) {
            return Err(Reason::Vector("select").into());
        }
        let parts = self.parts_of(result)?;
        if let &[PartType { bank: Bank::X87, .. }] = &*parts {
            return self.select_x87(result, condition, yes, no);
        }
        // Everything is in registers before the flags are set; what is chosen by a branch must not need any after it.
        let mut chosen: Vec<(Reg, Reg)> = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if part.bank == Bank::X87 {
                return Err(Reason::Form("select of long doubles in a structure").into());
            }
            let other = self.read(no, index)?;
            let own = self.own(yes, index)?;
            chosen.push((own, other));
        }
        let condition = self.condition(condition)?;
        match condition {
            Condition::Known(true) => {}
            Condition::One(cond) if chosen.iter().all(|(own, _)| !own.is_vector()) => {
                for (own, other) in &chosen {
                    self.asm.cmov(cond.not(), Width::B8, own.gp(), other.gp());
                }
            }
            condition => {
                let done = self.asm.label();
                self.jump_if(condition, done);
                for (own, other) in &chosen {
                    self.move_register(*own, *other);
                }
                self.asm.bind(done);
            }
        }
        for (index, (own, _)) in chosen.into_iter().enumerate() {
            self.define(result, index, own)?;
        }
        Ok(())
    }

    fn select_x87(&mut self, result: Value, condition: Value, yes: Value, no: Value) -> Result<(), Refused> {
        let (yes, no) = (self.memory(yes, 0)?, self.memory(no, 0)?);
        let to = self.define_in_memory(result, 0)?;
        let condition = self.condition(condition)?;
        let (take, done) = (self.asm.label(), self.asm.label());
        self.jump_if(condition, take);
        self.asm.fld(10, no);
        self.asm.jmp(done);
        self.asm.bind(take);
        self.asm.fld(10, yes);
        self.asm.bind(done);
        self.asm.fstp(10, to);
        Ok(())
    }
}

/// The flags of `cmp` that tell an integer comparison's result.
pub(crate) fn int_condition(predicate: Predicate) -> Result<Cond, Refused> {
    Ok(match predicate {
        Predicate::IntEq => Cond::E,
        Predicate::IntNe => Cond::Ne,
        Predicate::IntUgt => Cond::A,
        Predicate::IntUge => Cond::Ae,
        Predicate::IntUlt => Cond::B,
        Predicate::IntUle => Cond::Be,
        Predicate::IntSgt => Cond::G,
        Predicate::IntSge => Cond::Ge,
        Predicate::IntSlt => Cond::L,
        Predicate::IntSle => Cond::Le,
        _ => return Err(Reason::Internal("integers compared as floats").into()),
    })
}

/// The flags of `ucomis` that tell a comparison's result, and whether the operands change places; or what is known.
pub(crate) fn float_condition(predicate: Predicate) -> Result<(Condition, bool), bool> {
    use Condition::{And, One, Or};
    Ok(match predicate {
        Predicate::False => return Err(false),
        Predicate::True => return Err(true),
        Predicate::Oeq => (And(Cond::E, Cond::Np), false),
        Predicate::Une => (Or(Cond::Ne, Cond::P), false),
        // Unordered sets C and Z: above and not below are false then.
        Predicate::Ogt => (One(Cond::A), false),
        Predicate::Oge => (One(Cond::Ae), false),
        Predicate::Olt => (One(Cond::A), true),
        Predicate::Ole => (One(Cond::Ae), true),
        Predicate::Ult => (One(Cond::B), false),
        Predicate::Ule => (One(Cond::Be), false),
        Predicate::Ugt => (One(Cond::B), true),
        Predicate::Uge => (One(Cond::Be), true),
        Predicate::One => (One(Cond::Ne), false),
        Predicate::Ueq => (One(Cond::E), false),
        Predicate::Ord => (One(Cond::Np), false),
        Predicate::Uno => (One(Cond::P), false),
        _ => return Err(false),
    })
}
