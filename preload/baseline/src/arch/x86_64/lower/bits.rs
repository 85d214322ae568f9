//! Counting, reversing and rotating bits.

use autojit_bitcode::Value;

use super::super::Compiler;
use super::super::asm::{Alu, Bits, Cond, Gp, Shift, Width, gp};
use super::super::registers::SCRATCH;
use crate::refused::{Reason, Refused};

/// The masks and the multiplier of counting bits in parallel.
const PAIRS: u64 = 0x5555_5555_5555_5555;
const FOURS: u64 = 0x3333_3333_3333_3333;
const BYTES: u64 = 0x0f0f_0f0f_0f0f_0f0f;
const SUM: u64 = 0x0101_0101_0101_0101;

impl Compiler<'_> {
    /// The width in bits of a scalar integer of at most 64.
    fn scalar_bits(&mut self, value: Value) -> Result<u32, Refused> {
        let part = self.single(value).map_err(|_| Reason::Form("bit counting of a wide integer"))?;
        if part.vector { Err(Reason::Vector("bit counting").into()) } else { Ok(part.bits.into()) }
    }

    /// Lowers `llvm.ctpop`.
    pub(crate) fn lower_popcount(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        if self.parts_of(value)?.len() == 2 {
            let (low, high) = (self.own_gp(value, 0)?, self.own_gp(value, 1)?);
            let high_bits = self.part_type(value, 1)?.bits;
            self.extend(high, high_bits.into(), false);
            let (low, high) = (self.popcount(low)?, self.popcount(high)?);
            self.asm.alu(Alu::Add, Width::B8, low, high);
            self.asm.zero(high);
            self.define(result, 0, low)?;
            return self.define(result, 1, high);
        }
        let bits = self.scalar_bits(value)?;
        let own = self.own_gp(value, 0)?;
        self.extend(own, bits, false);
        let own = self.popcount(own)?;
        self.define(result, 0, own)
    }

    /// The number of bits in a temporary register of 64.
    fn popcount(&mut self, own: Gp) -> Result<Gp, Refused> {
        if self.features.popcnt {
            self.asm.bits(Bits::Popcnt, Width::B8, own, own);
            return Ok(own);
        }
        let other = self.temporary_gp()?;
        let mask = |compiler: &mut Self, value: u64| compiler.asm.mov_i(SCRATCH, value);
        self.asm.mov(Width::B8, other, own);
        self.asm.shift_i(Shift::Shr, Width::B8, other, 1);
        mask(self, PAIRS);
        self.asm.alu(Alu::And, Width::B8, other, SCRATCH);
        self.asm.alu(Alu::Sub, Width::B8, own, other);
        mask(self, FOURS);
        self.asm.mov(Width::B8, other, own);
        self.asm.alu(Alu::And, Width::B8, other, SCRATCH);
        self.asm.shift_i(Shift::Shr, Width::B8, own, 2);
        self.asm.alu(Alu::And, Width::B8, own, SCRATCH);
        self.asm.alu(Alu::Add, Width::B8, own, other);
        mask(self, BYTES);
        self.asm.mov(Width::B8, other, own);
        self.asm.shift_i(Shift::Shr, Width::B8, other, 4);
        self.asm.alu(Alu::Add, Width::B8, own, other);
        self.asm.alu(Alu::And, Width::B8, own, SCRATCH);
        mask(self, SUM);
        self.asm.imul(Width::B8, own, SCRATCH);
        self.asm.shift_i(Shift::Shr, Width::B8, own, 56);
        Ok(own)
    }

    /// Lowers `llvm.ctlz` and `llvm.cttz`: the width if there is no bit.
    pub(crate) fn lower_count_zeros(
        &mut self,
        leading: bool,
        result: Value,
        value: Value,
    ) -> Result<(), Refused> {
        if self.parts_of(value)?.len() == 2 {
            return self.count_wide_zeros(leading, result, value);
        }
        let bits = self.scalar_bits(value)?;
        let own = self.own_gp(value, 0)?;
        self.extend(own, bits, false);
        let count = self.temporary_gp()?;
        self.count_zeros(leading, bits, count, own);
        self.define(result, 0, count)
    }

    /// count = zeros of a zero-extended value of so many bits
    fn count_zeros(&mut self, leading: bool, bits: u32, count: Gp, own: Gp) {
        if leading {
            // The number of the highest bit, or -1: taken from the width less one.
            self.asm.mov_i(SCRATCH, u64::MAX);
            self.asm.bits(Bits::Bsr, Width::B8, count, own);
            self.asm.cmov(Cond::E, Width::B8, count, SCRATCH);
            self.asm.mov_i(SCRATCH, u64::from(bits - 1));
            self.asm.alu(Alu::Sub, Width::B8, SCRATCH, count);
            self.asm.mov(Width::B8, count, SCRATCH);
        } else {
            self.asm.mov_i(SCRATCH, bits.into());
            self.asm.bits(Bits::Bsf, Width::B8, count, own);
            self.asm.cmov(Cond::E, Width::B8, count, SCRATCH);
        }
    }

    fn count_wide_zeros(&mut self, leading: bool, result: Value, value: Value) -> Result<(), Refused> {
        if self.part_type(value, 1)?.bits != 64 {
            return Err(Reason::Form("bit counting of an odd width").into());
        }
        let (low, high) = (self.own_gp(value, 0)?, self.own_gp(value, 1)?);
        let (first, second) = if leading { (high, low) } else { (low, high) };
        let (count, more) = (self.temporary_gp()?, self.temporary_gp()?);
        self.count_zeros(leading, 64, count, first);
        self.count_zeros(leading, 64, more, second);
        self.asm.alu_i(Alu::Add, Width::B8, more, 64);
        self.asm.test(Width::B8, first, first);
        self.asm.cmov(Cond::E, Width::B8, count, more);
        self.asm.zero(more);
        self.define(result, 0, count)?;
        self.define(result, 1, more)
    }

    /// Lowers `llvm.bswap`.
    pub(crate) fn lower_swap_bytes(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        if self.parts_of(value)?.len() == 2 {
            let (low, high) = (self.own_gp(value, 0)?, self.own_gp(value, 1)?);
            let bits = u32::from(self.part_type(value, 1)?.bits);
            if bits != 64 {
                return Err(Reason::Form("bswap of an odd width").into());
            }
            self.asm.bswap(Width::B8, low);
            self.asm.bswap(Width::B8, high);
            self.define(result, 0, high)?;
            return self.define(result, 1, low);
        }
        let bits = self.scalar_bits(value)?;
        let own = self.own_gp(value, 0)?;
        let width = Width::of_bits(bits).at_least_32();
        self.asm.bswap(width, own);
        if bits < width.bits() {
            self.asm.shift_i(Shift::Shr, width, own, (width.bits() - bits) as u8);
        }
        self.define(result, 0, own)
    }

    /// Lowers `llvm.bitreverse`.
    pub(crate) fn lower_reverse_bits(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        let bits = self.scalar_bits(value)?;
        let (own, other) = (self.own_gp(value, 0)?, self.temporary_gp()?);
        self.asm.bswap(Width::B8, own);
        for (mask, by) in [(BYTES, 4), (FOURS, 2), (PAIRS, 1)] {
            self.asm.mov_i(SCRATCH, mask);
            self.asm.mov(Width::B8, other, own);
            self.asm.shift_i(Shift::Shr, Width::B8, other, by);
            self.asm.alu(Alu::And, Width::B8, other, SCRATCH);
            self.asm.alu(Alu::And, Width::B8, own, SCRATCH);
            self.asm.shift_i(Shift::Shl, Width::B8, own, by);
            self.asm.alu(Alu::Or, Width::B8, own, other);
        }
        if bits < 64 {
            self.asm.shift_i(Shift::Shr, Width::B8, own, (64 - bits) as u8);
        }
        self.define(result, 0, own)
    }

    /// Lowers `llvm.fshl` and `llvm.fshr`.
    pub(crate) fn lower_funnel(
        &mut self,
        left: bool,
        result: Value,
        high: Value,
        low: Value,
        by: Value,
    ) -> Result<(), Refused> {
        let bits = self.scalar_bits(high).map_err(|_| Reason::Form("funnel shift of a wide integer"))?;
        if matches!(bits, 32 | 64) {
            let width = Width::of_bits(bits);
            if let Some(by) = self.constant_bits(by)? {
                let (near, far) = if left { (high, low) } else { (low, high) };
                let (own, far) = (self.own_gp(near, 0)?, self.gp(far, 0)?);
                let by = (by % u64::from(bits)) as u8;
                if by != 0 {
                    self.asm.double_shift_i(left, width, own, far, by);
                }
                return self.define(result, 0, own);
            }
            self.force_all(&[high, low, by])?;
            self.take_for(gp::RCX.into(), by, 0)?;
            let (near, far) = if left { (high, low) } else { (low, high) };
            let far = self.gp(far, 0)?;
            let own = self.own_gp(near, 0)?;
            self.asm.double_shift_cl(left, width, own, far);
            return self.define(result, 0, own);
        }
        if !matches!(bits, 8 | 16) {
            return Err(Reason::Form("funnel shift of an odd width").into());
        }
        // Both in one register of 32 bits.
        self.force_all(&[high, low, by])?;
        self.take_for(gp::RCX.into(), by, 0)?;
        self.asm.alu_i(Alu::And, Width::B4, gp::RCX, bits as i32 - 1);
        let (own, low) = (self.own_gp(high, 0)?, self.own_gp(low, 0)?);
        self.extend(low, bits, false);
        self.asm.shift_i(Shift::Shl, Width::B4, own, bits as u8);
        self.asm.alu(Alu::Or, Width::B4, own, low);
        if left {
            if bits == 8 {
                self.extend(own, 16, false);
            }
            self.asm.shift_cl(Shift::Shl, Width::B4, own);
            self.asm.shift_i(Shift::Shr, Width::B4, own, bits as u8);
        } else {
            self.asm.shift_cl(Shift::Shr, Width::B4, own);
        }
        self.define(result, 0, own)
    }
}
