//! Arithmetic of integers of at most 64 bits. Registers say nothing above a value's width, so narrow operations are
//! done in 32 bits, and what looks at upper bits extends its operands first.

use autojit_bitcode::{Opcode, Type, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Shift, Unary, Width, gp};
use crate::refused::{Reason, Refused};

/// The instruction of an operation with the usual two operands.
pub(crate) fn alu_of(opcode: Opcode) -> Option<Alu> {
    Some(match opcode {
        Opcode::Add => Alu::Add,
        Opcode::Sub => Alu::Sub,
        Opcode::And => Alu::And,
        Opcode::Or => Alu::Or,
        Opcode::Xor => Alu::Xor,
        _ => return None,
    })
}

impl Compiler<'_> {
    /// Lowers `add`, `sub`, `mul`, `and`, `or` and `xor`.
    pub(crate) fn lower_arithmetic(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let parts = self.parts_of(result)?;
        let &[part] = &*parts else {
            return self.lower_wide_arithmetic(opcode, result, left, right);
        };
        let width = Width::of_bits(part.bits.into()).at_least_32();
        let commutes = opcode != Opcode::Sub;
        let constant_left = self.constant_bits(left)?.is_some();
        // What is not needed any more is changed in place; a constant is an immediate.
        let swap = commutes
            && self.constant_bits(right)?.is_none()
            && (constant_left || self.prefers_right(left, right));
        let (left, right) = if swap { (right, left) } else { (left, right) };
        if let Some(imm) = self.immediate(right, 0, width)? {
            return self.arithmetic_with_immediate(opcode, result, left, width, imm);
        }
        // What has to be computed first is computed before a register is taken for the result.
        self.force(left)?;
        let right = self.operand(right, 0, width.bytes())?;
        let own = self.own_gp(left, 0)?;
        match alu_of(opcode) {
            Some(alu) => self.asm.alu(alu, width, own, right),
            None => self.asm.imul(width, own, right),
        }
        self.define(result, 0, own)
    }

    fn arithmetic_with_immediate(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        width: Width,
        imm: i32,
    ) -> Result<(), Refused> {
        let own = match (alu_of(opcode), imm) {
            (Some(alu), imm) => {
                let own = self.own_gp(left, 0)?;
                self.asm.alu_i(alu, width, own, imm);
                own
            }
            (None, imm) if imm > 0 && imm.count_ones() == 1 => {
                let own = self.own_gp(left, 0)?;
                self.asm.shift_i(Shift::Shl, width, own, imm.trailing_zeros() as u8);
                own
            }
            (None, imm) => {
                let left = self.operand(left, 0, width.bytes())?;
                let own = self.temporary_gp()?;
                self.asm.imul_i(width, own, left, imm);
                own
            }
        };
        self.define(result, 0, own)
    }

    /// Whether only the right operand's register may be changed.
    fn prefers_right(&self, left: Value, right: Value) -> bool {
        self.can_be_changed(right) && !self.can_be_changed(left) && self.deferred(left).is_none()
    }

    /// Lowers `shl`, `lshr` and `ashr`.
    pub(crate) fn lower_shift(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let parts = self.parts_of(result)?;
        let &[part] = &*parts else {
            return self.lower_wide_shift(opcode, result, left, right);
        };
        let bits = u32::from(part.bits);
        let width = Width::of_bits(bits).at_least_32();
        let shift = match opcode {
            Opcode::Shl => Shift::Shl,
            Opcode::LShr => Shift::Shr,
            _ => Shift::Sar,
        };
        let extend = opcode != Opcode::Shl && bits != width.bits();
        if let Some(by) = self.constant_bits(right)? {
            let own = self.own_gp(left, 0)?;
            if extend {
                self.extend(own, bits, opcode == Opcode::AShr);
            }
            // By the width and more is poison.
            let by = (by & u64::from(width.bits() - 1)) as u8;
            if by != 0 {
                self.asm.shift_i(shift, width, own, by);
            }
            return self.define(result, 0, own);
        }
        self.force_all(&[left, right])?;
        self.take_for(gp::RCX.into(), right, 0)?;
        if bits < 8 {
            self.extend(gp::RCX, bits, false);
        }
        let own = self.own_gp(left, 0)?;
        if extend {
            self.extend(own, bits, opcode == Opcode::AShr);
        }
        self.asm.shift_cl(shift, width, own);
        self.define(result, 0, own)
    }

    /// Lowers `udiv`, `sdiv`, `urem` and `srem`.
    pub(crate) fn lower_division(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        if let Type::Vector { .. } = self.types.get(self.type_of(result)?) {
            return Err(Reason::Vector("division").into());
        }
        let parts = self.parts_of(result)?;
        let &[part] = &*parts else {
            return self.lower_wide_division(opcode, result, left, right);
        };
        let bits = u32::from(part.bits);
        let width = Width::of_bits(bits).at_least_32();
        let signed = matches!(opcode, Opcode::SDiv | Opcode::SRem);
        if !signed
            && let Some(by) = self.constant_bits(right)?
            && by.is_power_of_two()
        {
            return self.divide_by_power(opcode, result, left, bits, by);
        }
        let narrow = bits != width.bits();
        self.force_all(&[left, right])?;
        self.take_for(gp::RAX.into(), left, 0)?;
        self.take(gp::RDX)?;
        if narrow {
            self.extend(gp::RAX, bits, signed);
            let divisor = self.own_gp(right, 0)?;
            self.extend(divisor, bits, signed);
            self.divide(signed, width, divisor);
        } else {
            let divisor = self.operand(right, 0, width.bytes())?;
            self.divide(signed, width, divisor);
        }
        let quotient = matches!(opcode, Opcode::SDiv | Opcode::UDiv);
        self.define(result, 0, if quotient { gp::RAX } else { gp::RDX })
    }

    fn divide(&mut self, signed: bool, width: Width, divisor: impl Into<super::super::asm::Rm>) {
        if signed {
            self.asm.sign_into_rdx(width);
            self.asm.unary(Unary::Idiv, width, divisor);
        } else {
            self.asm.zero(gp::RDX);
            self.asm.unary(Unary::Div, width, divisor);
        }
    }

    fn divide_by_power(
        &mut self,
        opcode: Opcode,
        result: Value,
        left: Value,
        bits: u32,
        by: u64,
    ) -> Result<(), Refused> {
        let width = Width::of_bits(bits).at_least_32();
        let own = self.own_gp(left, 0)?;
        if opcode == Opcode::UDiv {
            if bits != width.bits() {
                self.extend(own, bits, false);
            }
            let log = by.trailing_zeros() as u8;
            if log != 0 {
                self.asm.shift_i(Shift::Shr, width, own, log);
            }
        } else {
            self.extend(own, by.trailing_zeros().max(1), false);
            if by == 1 {
                self.asm.zero(own);
            }
        }
        self.define(result, 0, own)
    }
}
