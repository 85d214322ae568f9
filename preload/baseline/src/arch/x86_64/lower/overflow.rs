//! Arithmetic that tells whether it overflowed, or stops at the limits; minima, maxima, absolute values.

use autojit_bitcode::Value;

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Shift, Unary, Width, gp};
use super::super::registers::SCRATCH;
use crate::refused::{Reason, Refused};

/// The operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    Add,
    Sub,
    Mul,
}

impl Compiler<'_> {
    fn int_bits(&mut self, value: Value) -> Result<u32, Refused> {
        let part = self.single(value).map_err(|_| Reason::Form("checked arithmetic of a wide integer"))?;
        if part.vector { Err(Reason::Vector("checked arithmetic").into()) } else { Ok(part.bits.into()) }
    }

    /// Lowers `llvm.*.with.overflow`.
    pub(crate) fn lower_with_overflow(
        &mut self,
        checked: Checked,
        signed: bool,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        if self.parts_of(left)?.len() == 2 {
            return self.wide_with_overflow(checked, signed, result, left, right);
        }
        let bits = self.int_bits(left)?;
        let width = Width::of_bits(bits);
        self.force_all(&[left, right])?;
        let (own, cond) = match checked {
            _ if bits != width.bits() => {
                return self.odd_with_overflow(checked, signed, result, left, right, bits);
            }
            Checked::Add | Checked::Sub => {
                let alu = if checked == Checked::Add { Alu::Add } else { Alu::Sub };
                match self.immediate(right, 0, width)? {
                    Some(imm) => {
                        let own = self.own_gp(left, 0)?;
                        self.asm.alu_i(alu, width, own, imm);
                        (own, if signed { Cond::O } else { Cond::B })
                    }
                    None => {
                        let right = self.operand(right, 0, width.bytes())?;
                        let own = self.own_gp(left, 0)?;
                        self.asm.alu(alu, width, own, right);
                        (own, if signed { Cond::O } else { Cond::B })
                    }
                }
            }
            Checked::Mul if signed && width > Width::B1 => {
                let right = self.operand(right, 0, width.bytes())?;
                let own = self.own_gp(left, 0)?;
                self.asm.imul(width, own, right);
                (own, Cond::O)
            }
            Checked::Mul => {
                // The product of bytes is in ax.
                self.take_for(gp::RAX.into(), left, 0)?;
                if width > Width::B1 {
                    self.take(gp::RDX)?;
                }
                let right = self.operand(right, 0, width.bytes())?;
                self.asm.unary(if signed { Unary::Imul } else { Unary::Mul }, width, right);
                (gp::RAX, Cond::O)
            }
        };
        let flag = self.temporary_gp()?;
        self.asm.setcc(cond, flag);
        self.define(result, 0, own)?;
        self.define(result, 1, flag)
    }

    /// Widths that the machine has not: computed in 64 bits and compared with what is left of it.
    fn odd_with_overflow(
        &mut self,
        checked: Checked,
        signed: bool,
        result: Value,
        left: Value,
        right: Value,
        bits: u32,
    ) -> Result<(), Refused> {
        if bits > 32 {
            return Err(Reason::Form("checked arithmetic of an odd width").into());
        }
        let (own, other) = (self.own_gp(left, 0)?, self.own_gp(right, 0)?);
        self.extend(own, bits, signed);
        self.extend(other, bits, signed);
        match checked {
            Checked::Add => self.asm.alu(Alu::Add, Width::B8, own, other),
            Checked::Sub => self.asm.alu(Alu::Sub, Width::B8, own, other),
            Checked::Mul => self.asm.imul(Width::B8, own, other),
        }
        self.asm.mov(Width::B8, other, own);
        self.extend(other, bits, signed);
        self.asm.alu(Alu::Cmp, Width::B8, other, own);
        self.asm.setcc(Cond::Ne, other);
        self.define(result, 0, own)?;
        self.define(result, 1, other)
    }

    fn wide_with_overflow(
        &mut self,
        checked: Checked,
        signed: bool,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        if self.part_type(left, 1)?.bits != 64 {
            return Err(Reason::Form("checked arithmetic of an odd width").into());
        }
        let (low_alu, high_alu) = match checked {
            Checked::Add => (Alu::Add, Alu::Adc),
            Checked::Sub => (Alu::Sub, Alu::Sbb),
            Checked::Mul if !signed => return self.wide_product_with_overflow(result, left, right),
            Checked::Mul => return self.signed_product_with_overflow(result, left, right),
        };
        let (low, high) = (self.gp(right, 0)?, self.gp(right, 1)?);
        let (own_low, own_high) = (self.own_gp(left, 0)?, self.own_gp(left, 1)?);
        let flag = self.temporary_gp()?;
        self.asm.alu(low_alu, Width::B8, own_low, low);
        self.asm.alu(high_alu, Width::B8, own_high, high);
        self.asm.setcc(if signed { Cond::O } else { Cond::B }, flag);
        self.define(result, 0, own_low)?;
        self.define(result, 1, own_high)?;
        self.define(result, 2, flag)
    }

    /// (a1, a0) * (b1, b0) overflows if both upper halves are set, or a cross product or the sum does.
    fn wide_product_with_overflow(
        &mut self,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        self.force_all(&[left, right])?;
        self.take(gp::RAX)?;
        self.take(gp::RDX)?;
        let a = (self.gp(left, 0)?, self.gp(left, 1)?);
        let b = (self.gp(right, 0)?, self.gp(right, 1)?);
        let (_, flag) = self.wide_product(a, b)?;
        self.define(result, 0, gp::RAX)?;
        self.define(result, 1, gp::RDX)?;
        self.define(result, 2, flag)
    }

    /// The product of the sizes, with its sign put on; it does not fit if that does not come out.
    fn signed_product_with_overflow(
        &mut self,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        self.force_all(&[left, right])?;
        self.take(gp::RAX)?;
        self.take(gp::RDX)?;
        let a = (self.own_gp(left, 0)?, self.own_gp(left, 1)?);
        let b = (self.own_gp(right, 0)?, self.own_gp(right, 1)?);
        // There are no registers to spare.
        let sign = self.spare()?;
        for (index, (low, high)) in [a, b].into_iter().enumerate() {
            self.asm.mov(Width::B8, SCRATCH, high);
            self.asm.shift_i(Shift::Sar, Width::B8, SCRATCH, 63);
            if index == 0 {
                self.asm.mov_mr(Width::B8, sign, SCRATCH);
            } else {
                self.asm.alu_mr(Alu::Xor, Width::B8, sign, SCRATCH);
            }
            self.negate_halves(low, high);
        }
        let (cross, flag) = self.wide_product(a, b)?;
        self.asm.mov(Width::B8, SCRATCH, sign);
        self.negate_halves(gp::RAX, gp::RDX);
        self.asm.mov(Width::B8, cross, gp::RDX);
        self.asm.shift_i(Shift::Sar, Width::B8, cross, 63);
        self.asm.alu(Alu::Xor, Width::B8, cross, SCRATCH);
        // Zero has no sign.
        self.asm.mov(Width::B8, SCRATCH, gp::RAX);
        self.asm.alu(Alu::Or, Width::B8, SCRATCH, gp::RDX);
        self.asm.setcc(Cond::Ne, SCRATCH);
        self.asm.alu(Alu::And, Width::B1, SCRATCH, cross);
        self.asm.alu(Alu::Or, Width::B1, flag, SCRATCH);
        self.define(result, 0, gp::RAX)?;
        self.define(result, 1, gp::RDX)?;
        self.define(result, 2, flag)
    }

    /// Negates two halves if r11 is -1, and leaves them if it is 0.
    fn negate_halves(&mut self, low: Gp, high: Gp) {
        self.asm.alu(Alu::Xor, Width::B8, low, SCRATCH);
        self.asm.alu(Alu::Xor, Width::B8, high, SCRATCH);
        self.asm.alu(Alu::Sub, Width::B8, low, SCRATCH);
        self.asm.alu(Alu::Sbb, Width::B8, high, SCRATCH);
    }

    /// rdx:rax = the lower 128 bits of a product. Returns a register that is free, and one that says whether bits got lost.
    fn wide_product(&mut self, (a0, a1): (Gp, Gp), (b0, b1): (Gp, Gp)) -> Result<(Gp, Gp), Refused> {
        let (cross, flag) = (self.temporary_gp()?, self.temporary_gp()?);
        // r11: whether a bit of the result got lost.
        self.asm.test(Width::B8, a1, a1);
        self.asm.setcc(Cond::Ne, flag);
        self.asm.test(Width::B8, b1, b1);
        self.asm.setcc(Cond::Ne, SCRATCH);
        self.asm.alu(Alu::And, Width::B1, flag, SCRATCH);
        self.asm.mov(Width::B8, gp::RAX, a1);
        self.asm.unary(Unary::Mul, Width::B8, b0);
        self.asm.setcc(Cond::O, SCRATCH);
        self.asm.alu(Alu::Or, Width::B1, flag, SCRATCH);
        self.asm.mov(Width::B8, cross, gp::RAX);
        self.asm.mov(Width::B8, gp::RAX, b1);
        self.asm.unary(Unary::Mul, Width::B8, a0);
        self.asm.setcc(Cond::O, SCRATCH);
        self.asm.alu(Alu::Or, Width::B1, flag, SCRATCH);
        self.asm.alu(Alu::Add, Width::B8, cross, gp::RAX);
        self.asm.mov(Width::B8, gp::RAX, a0);
        self.asm.unary(Unary::Mul, Width::B8, b0);
        self.asm.alu(Alu::Add, Width::B8, gp::RDX, cross);
        self.asm.setcc(Cond::B, SCRATCH);
        self.asm.alu(Alu::Or, Width::B1, flag, SCRATCH);
        Ok((cross, flag))
    }

    /// Lowers `llvm.*.sat`.
    pub(crate) fn lower_saturating(
        &mut self,
        checked: Checked,
        signed: bool,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let bits = self.int_bits(left)?;
        let width = Width::of_bits(bits);
        if bits != width.bits() {
            return Err(Reason::Form("saturation of an odd width").into());
        }
        self.force(left)?;
        let other = self.gp(right, 0)?;
        let own = self.own_gp(left, 0)?;
        let limit = self.temporary_gp()?;
        if signed {
            // The limit on the side of the left operand's sign.
            let most = (1_u64 << (bits - 1)) - 1;
            self.asm.mov_i(SCRATCH, most);
            self.asm.mov(Width::B8, limit, own);
            self.extend(limit, bits, true);
            self.asm.shift_i(Shift::Sar, Width::B8, limit, 63);
            self.asm.alu(Alu::Xor, Width::B8, limit, SCRATCH);
        } else {
            self.asm.mov_i(limit, if checked == Checked::Add { u64::MAX } else { 0 });
        }
        let alu = if checked == Checked::Add { Alu::Add } else { Alu::Sub };
        self.asm.alu(alu, width, own, other);
        self.asm.cmov(if signed { Cond::O } else { Cond::B }, Width::B8, own, limit);
        self.define(result, 0, own)
    }

    /// Lowers `llvm.smin` and its kind: the right operand if the condition holds for the left and the right.
    pub(crate) fn lower_choice(
        &mut self,
        cond: Cond,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let signed = matches!(cond, Cond::L | Cond::G);
        if self.parts_of(left)?.len() == 2 {
            return Err(Reason::Form("a minimum of wide integers").into());
        }
        let bits = self.int_bits(left)?;
        let (own, other) = self.comparable(left, right, bits, signed)?;
        let width = Width::of_bits(bits);
        self.asm.alu(Alu::Cmp, width.at_least_32().max(width), own, other);
        self.asm.cmov(cond, Width::B8, own, other);
        self.define(result, 0, own)
    }

    /// Two values in temporary registers, extended to 32 bits at least.
    fn comparable(
        &mut self,
        left: Value,
        right: Value,
        bits: u32,
        signed: bool,
    ) -> Result<(Gp, Gp), Refused> {
        let (own, other) = (self.own_gp(left, 0)?, self.own_gp(right, 0)?);
        if !matches!(bits, 32 | 64) {
            self.extend(own, bits, signed);
            self.extend(other, bits, signed);
        }
        Ok((own, other))
    }

    /// Lowers `llvm.scmp` and `llvm.ucmp`: -1, 0 or 1.
    pub(crate) fn lower_three_way(
        &mut self,
        signed: bool,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let bits = self.int_bits(left)?;
        let (own, other) = self.comparable(left, right, bits, signed)?;
        self.asm.alu(Alu::Cmp, Width::of_bits(bits).at_least_32(), own, other);
        let (above, below) = if signed { (Cond::G, Cond::L) } else { (Cond::A, Cond::B) };
        self.asm.setcc(above, own);
        self.asm.setcc(below, other);
        self.asm.alu(Alu::Sub, Width::B1, own, other);
        self.extend(own, 8, true);
        self.define(result, 0, own)
    }

    /// Lowers `llvm.abs`.
    pub(crate) fn lower_absolute(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        let bits = self.int_bits(value)?;
        let (own, sign) = (self.own_gp(value, 0)?, self.temporary_gp()?);
        self.extend(own, bits, true);
        self.asm.mov(Width::B8, sign, own);
        self.asm.shift_i(Shift::Sar, Width::B8, sign, 63);
        self.asm.alu(Alu::Xor, Width::B8, own, sign);
        self.asm.alu(Alu::Sub, Width::B8, own, sign);
        self.define(result, 0, own)
    }
}
