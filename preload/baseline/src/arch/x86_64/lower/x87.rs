//! `x86_fp80`: values in memory, the x87 stack empty between instructions.

use autojit_bitcode::Value;

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Rm, Width, X87};
use super::super::registers::SCRATCH;
use crate::parts::PartType;
use crate::refused::{Reason, Refused};

/// 2^63 and 2^64 as floats of 4 bytes.
const HIGH: u128 = 0x5f00_0000;
const TOP: u128 = 0x5f80_0000;
/// Rounds towards zero, the rest as it is by default.
const TRUNCATE: i32 = 0x0c00;

impl Compiler<'_> {
    pub(crate) fn x87_binary(
        &mut self,
        x87: X87,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let (left, right) = (self.memory(left, 0)?, self.memory(right, 0)?);
        let to = self.define_in_memory(result, 0)?;
        self.asm.fld(10, left);
        self.asm.fld(10, right);
        self.asm.x87(x87);
        self.asm.fstp(10, to);
        Ok(())
    }

    pub(crate) fn x87_multiply_add(
        &mut self,
        result: Value,
        left: Value,
        right: Value,
        sum: Value,
    ) -> Result<(), Refused> {
        let (left, right) = (self.memory(left, 0)?, self.memory(right, 0)?);
        let sum = self.memory(sum, 0)?;
        let to = self.define_in_memory(result, 0)?;
        self.asm.fld(10, left);
        self.asm.fld(10, right);
        self.asm.x87(X87::Fmulp);
        self.asm.fld(10, sum);
        self.asm.x87(X87::Faddp);
        self.asm.fstp(10, to);
        Ok(())
    }

    /// What instructions make of one value on the stack.
    pub(crate) fn x87_unary(&mut self, steps: &[X87], result: Value, value: Value) -> Result<(), Refused> {
        let from = self.memory(value, 0)?;
        let to = self.define_in_memory(result, 0)?;
        self.asm.fld(10, from);
        steps.iter().for_each(|step| self.asm.x87(*step));
        self.asm.fstp(10, to);
        Ok(())
    }

    /// Copies a value that is kept in memory.
    pub(crate) fn copy_x87(
        &mut self,
        result: Value,
        result_part: usize,
        value: Value,
        part: usize,
    ) -> Result<(), Refused> {
        let from = self.memory(value, part)?;
        let to = self.define_in_memory(result, result_part)?;
        self.asm.fld(10, from);
        self.asm.fstp(10, to);
        Ok(())
    }

    pub(crate) fn int_to_x87(
        &mut self,
        signed: bool,
        result: Value,
        value: Value,
        from: PartType,
    ) -> Result<(), Refused> {
        let source: Gp = self.extended(value, from, signed)?;
        let to = self.define_in_memory(result, 0)?;
        self.asm.mov_mr(Width::B8, to, source);
        self.asm.fild(8, to);
        if !signed && from.bits == 64 {
            // Taken for negative: 2^64 too low.
            let done = self.asm.label();
            let top = self.constant_memory(TOP, 4);
            self.asm.test(Width::B8, source, source);
            self.asm.jcc(Cond::Ns, done);
            self.asm.fadd_m32(top);
            self.asm.bind(done);
        }
        self.asm.fstp(10, to);
        Ok(())
    }

    pub(crate) fn x87_to_int(
        &mut self,
        signed: bool,
        result: Value,
        value: Value,
        to: PartType,
    ) -> Result<(), Refused> {
        let from = self.memory(value, 0)?;
        let spare = self.spare()?;
        let words = |by: i32| spare.plus(by).ok_or(Refused::from(Reason::Size));
        let (old, new) = (words(8)?, words(12)?);
        let reg = self.temporary_gp()?;
        self.asm.fnstcw(old);
        self.asm.movzx(Width::B2, SCRATCH, old);
        self.asm.alu_i(Alu::Or, Width::B4, Rm::from(SCRATCH), TRUNCATE);
        self.asm.mov_mr(Width::B2, new, SCRATCH);
        self.asm.fld(10, from);
        let top = if !signed && to.bits == 64 {
            // What is 2^63 and more is converted without that.
            let below = self.asm.label();
            let high = self.constant_memory(HIGH, 4);
            self.asm.zero(reg);
            self.asm.fld(4, high);
            // Flags of 2^63 and the value.
            self.asm.x87(X87::Fucomip);
            self.asm.jcc(Cond::A, below);
            self.asm.fld(4, high);
            self.asm.x87(X87::Fsubp);
            self.asm.mov_i(reg, 1 << 63);
            self.asm.bind(below);
            true
        } else {
            false
        };
        self.asm.fldcw(new);
        self.asm.fistp(8, spare);
        self.asm.fldcw(old);
        if top {
            self.asm.alu(Alu::Xor, Width::B8, reg, spare);
        } else {
            self.asm.mov(Width::B8, reg, spare);
        }
        self.define(result, 0, reg)
    }
}
