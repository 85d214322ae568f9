//! Arithmetic of integers of 65 to 128 bits, in two registers. Division is the compiler support library's.

use autojit_bitcode::{Opcode, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Shift, Unary, Width, gp};
use super::super::registers::SCRATCH;
use super::call::Plan;
use super::function::POINTER;
use super::integer::alu_of;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// Both halves in temporary registers, to be changed.
    fn own_halves(&mut self, value: Value) -> Result<(Gp, Gp), Refused> {
        Ok((self.own_gp(value, 0)?, self.own_gp(value, 1)?))
    }

    fn define_halves(&mut self, result: Value, low: Gp, high: Gp) -> Result<(), Refused> {
        self.define(result, 0, low)?;
        self.define(result, 1, high)
    }

    /// The number of bits in the upper half.
    fn high_bits(&mut self, value: Value) -> Result<u32, Refused> {
        match &*self.parts_of(value)? {
            [_, high] => Ok(high.bits.into()),
            _ => Err(Reason::Internal("not an integer of two halves").into()),
        }
    }

    pub(crate) fn lower_wide_arithmetic(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        self.high_bits(result)?;
        let alus = match alu_of(opcode) {
            Some(Alu::Add) => (Alu::Add, Alu::Adc),
            Some(Alu::Sub) => (Alu::Sub, Alu::Sbb),
            Some(alu) => (alu, alu),
            None => return self.lower_wide_multiplication(result, left, right),
        };
        let (low, high) = (self.gp(right, 0)?, self.gp(right, 1)?);
        let (own_low, own_high) = self.own_halves(left)?;
        self.asm.alu(alus.0, Width::B8, own_low, low);
        self.asm.alu(alus.1, Width::B8, own_high, high);
        self.define_halves(result, own_low, own_high)
    }

    fn lower_wide_multiplication(&mut self, result: Value, left: Value, right: Value) -> Result<(), Refused> {
        self.force_all(&[left, right])?;
        self.take(gp::RAX)?;
        self.take(gp::RDX)?;
        let (low_b, high_b) = (self.gp(right, 0)?, self.own_gp(right, 1)?);
        let (low_a, high_a) = (self.gp(left, 0)?, self.own_gp(left, 1)?);
        // low * low + (low * high + high * low) << 64
        self.asm.imul(Width::B8, high_b, low_a);
        self.asm.imul(Width::B8, high_a, low_b);
        self.asm.mov(Width::B8, gp::RAX, low_a);
        self.asm.unary(Unary::Mul, Width::B8, low_b);
        self.asm.alu(Alu::Add, Width::B8, gp::RDX, high_a);
        self.asm.alu(Alu::Add, Width::B8, gp::RDX, high_b);
        self.define_halves(result, gp::RAX, gp::RDX)
    }

    pub(crate) fn lower_wide_shift(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let bits = self.high_bits(result)?;
        let signed = opcode == Opcode::AShr;
        if let Some(by) = self.constant_bits(right)? {
            let (low, high) = self.own_halves(left)?;
            if opcode != Opcode::Shl {
                self.extend(high, bits, signed);
            }
            self.shift_halves(opcode, low, high, (by & 127) as u8);
            return self.define_halves(result, low, high);
        }
        self.force_all(&[left, right])?;
        self.take_for(gp::RCX.into(), right, 0)?;
        let (low, high) = self.own_halves(left)?;
        if opcode != Opcode::Shl {
            self.extend(high, bits, signed);
        }
        // What is shifted out of all 64 bits, and what then comes from outside.
        let (near, far) = if opcode == Opcode::Shl { (high, low) } else { (low, high) };
        self.asm.double_shift_cl(opcode == Opcode::Shl, Width::B8, near, far);
        let fill = SCRATCH;
        if signed {
            self.asm.mov(Width::B8, fill, far);
            self.asm.shift_i(Shift::Sar, Width::B8, fill, 63);
        } else {
            self.asm.zero(fill);
        }
        self.asm.shift_cl(shift_of(opcode), Width::B8, far);
        self.asm.test_i(Width::B1, gp::RCX, 64);
        self.asm.cmov(Cond::Ne, Width::B8, near, far);
        self.asm.cmov(Cond::Ne, Width::B8, far, fill);
        self.define_halves(result, low, high)
    }

    fn shift_halves(&mut self, opcode: Opcode, low: Gp, high: Gp, by: u8) {
        let left = opcode == Opcode::Shl;
        let (near, far) = if left { (high, low) } else { (low, high) };
        match by {
            0 => {}
            1..=63 => {
                self.asm.double_shift_i(left, Width::B8, near, far, by);
                self.asm.shift_i(shift_of(opcode), Width::B8, far, by);
            }
            _ => {
                self.asm.mov(Width::B8, near, far);
                if by > 64 {
                    self.asm.shift_i(shift_of(opcode), Width::B8, near, by - 64);
                }
                if opcode == Opcode::AShr {
                    self.asm.shift_i(Shift::Sar, Width::B8, far, 63);
                } else {
                    self.asm.zero(far);
                }
            }
        }
    }

    pub(crate) fn lower_wide_division(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        if self.high_bits(result)? != 64 {
            return Err(Reason::Form("division of an odd width beyond 64 bits").into());
        }
        let name = match opcode {
            Opcode::SDiv => "__divti3",
            Opcode::UDiv => "__udivti3",
            Opcode::SRem => "__modti3",
            _ => "__umodti3",
        };
        let mut plan = Plan::default();
        plan.pair(left);
        plan.pair(right);
        self.call_runtime(name, &plan)?;
        self.take_result(result)
    }
}

impl Plan {
    /// Passes an integer of two halves.
    pub(crate) fn pair(&mut self, value: Value) {
        self.part(value, 0, POINTER);
        self.part(value, 1, POINTER);
    }
}

fn shift_of(opcode: Opcode) -> Shift {
    match opcode {
        Opcode::Shl => Shift::Shl,
        Opcode::LShr => Shift::Shr,
        _ => Shift::Sar,
    }
}
