//! Conversions.

use autojit_bitcode::{Opcode, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Mem, Prefix, Rm, Shift, Sse, Width, Xmm, gp};
use super::super::registers::SCRATCH;
use super::call::Plan;
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

/// 2^63 as double and float.
const HIGH_DOUBLE: u128 = 0x43e0_0000_0000_0000;
const HIGH_FLOAT: u128 = 0x5f00_0000;

impl Compiler<'_> {
    /// Lowers `trunc` to `addrspacecast`.
    pub(crate) fn lower_conversion(
        &mut self,
        inst: u32,
        opcode: Opcode,
        result: Value,
        value: Value,
    ) -> Result<(), Refused> {
        let _ = inst;
        let (from, to) = (self.parts_of(value)?, self.parts_of(result)?);
        if opcode == Opcode::BitCast {
            return self.lower_bitcast(result, value, &from, &to);
        }
        match opcode {
            Opcode::Trunc
            | Opcode::IntToPtr
            | Opcode::PtrToInt
            | Opcode::PtrToAddr
            | Opcode::ZExt
            | Opcode::SExt => self.convert_int(opcode == Opcode::SExt, result, value, &from, &to),
            Opcode::FPTrunc | Opcode::FPExt => self.convert_float(result, value, &from, &to),
            Opcode::SIToFP | Opcode::UIToFP => {
                self.int_to_float(opcode == Opcode::SIToFP, result, value, &from, &to)
            }
            Opcode::FPToSI | Opcode::FPToUI => {
                self.float_to_int(opcode == Opcode::FPToSI, result, value, &from, &to)
            }
            _ => Err(Reason::Instruction("addrspacecast").into()),
        }
    }

    fn lower_bitcast(
        &mut self,
        result: Value,
        value: Value,
        from: &[PartType],
        to: &[PartType],
    ) -> Result<(), Refused> {
        match (from, to) {
            ([a], [b]) if a.bank == b.bank && a.bank != Bank::X87 => self.lower_copy(result, value),
            ([a], [b]) if a.bank == Bank::Gp && b.bank == Bank::Xmm => {
                let source = self.gp(value, 0)?;
                let reg = self.temporary_x()?;
                self.asm.mov_xg(Width::of_bits(a.bits.into()).at_least_32(), reg, source);
                self.define(result, 0, reg)
            }
            ([a], [b]) if a.bank == Bank::Xmm && b.bank == Bank::Gp => {
                let source = self.xmm(value, 0)?;
                let reg = self.temporary_gp()?;
                self.asm.mov_gx(Width::of_bits(b.bits.into()).at_least_32(), reg, source);
                self.define(result, 0, reg)
            }
            ([a], [_, _]) if a.bank == Bank::Xmm => {
                let source = self.own_x(value, 0)?;
                let (low, high) = (self.temporary_gp()?, self.temporary_gp()?);
                self.asm.mov_gx(Width::B8, low, source);
                self.asm.shift_bytes(false, source, 8);
                self.asm.mov_gx(Width::B8, high, source);
                self.define(result, 0, low)?;
                self.define(result, 1, high)
            }
            ([_, _], [b]) if b.bank == Bank::Xmm => {
                let (low, high) = (self.gp(value, 0)?, self.gp(value, 1)?);
                let (own, other) = (self.temporary_x()?, self.temporary_x()?);
                self.asm.mov_xg(Width::B8, own, low);
                self.asm.mov_xg(Width::B8, other, high);
                self.asm.sse(Prefix::P66, Sse::Punpcklqdq, own, other);
                self.define(result, 0, own)
            }
            _ => Err(Reason::Instruction("bitcast of other types").into()),
        }
    }

    fn convert_int(
        &mut self,
        signed: bool,
        result: Value,
        value: Value,
        from: &[PartType],
        to: &[PartType],
    ) -> Result<(), Refused> {
        let Some(&first) = from.first() else {
            return Err(Reason::Internal("a conversion of nothing").into());
        };
        let target: u32 = to.iter().map(|part| u32::from(part.bits)).sum();
        let source: u32 = from.iter().map(|part| u32::from(part.bits)).sum();
        if target <= source {
            for index in 0..to.len() {
                let own = self.own(value, index)?;
                self.define(result, index, own)?;
            }
            return Ok(());
        }
        if let [high_from] = from {
            let reg = self.extended(value, first, signed)?;
            self.define(result, 0, reg)?;
            let _ = high_from;
            if to.len() == 2 {
                let high = self.temporary_gp()?;
                if signed {
                    self.asm.mov(Width::B8, high, reg);
                    self.asm.shift_i(Shift::Sar, Width::B8, high, 63);
                } else {
                    self.asm.zero(high);
                }
                self.define(result, 1, high)?;
            }
            return Ok(());
        }
        let (low, high) = (self.own_gp(value, 0)?, self.own_gp(value, 1)?);
        self.extend(high, from.last().map_or(64, |part| part.bits.into()), signed);
        self.define(result, 0, low)?;
        self.define(result, 1, high)
    }

    /// A value of one part, extended to 64 bits in a temporary register.
    pub(crate) fn extended(&mut self, value: Value, part: PartType, signed: bool) -> Result<Gp, Refused> {
        let bits = u32::from(part.bits);
        if let (8 | 16 | 32, true) = (bits, self.analysis.locals.local(value).is_some()) {
            let from = Width::of_bits(bits);
            let source = self.operand(value, 0, from.bytes())?;
            let reg = match source {
                Rm::Reg(reg) if self.can_be_changed(value) && self.owns(value, Gp(reg)) => {
                    self.own_gp(value, 0)?
                }
                _ => self.temporary_gp()?,
            };
            if signed {
                self.asm.movsx(Width::B8, from, reg, source);
            } else {
                self.asm.movzx(from, reg, source);
            }
            return Ok(reg);
        }
        let reg = self.own_gp(value, 0)?;
        self.extend(reg, bits, signed);
        Ok(reg)
    }

    fn owns(&self, value: Value, reg: Gp) -> bool {
        self.analysis.locals.local(value).is_some_and(|local| self.part(local, 0).reg == Some(reg.into()))
    }

    fn convert_float(
        &mut self,
        result: Value,
        value: Value,
        from: &[PartType],
        to: &[PartType],
    ) -> Result<(), Refused> {
        let (&[from], &[to]) = (from, to) else {
            return Err(Reason::Internal("a float of several parts").into());
        };
        match (from.bank, to.bank) {
            (Bank::Xmm, Bank::Xmm) => {
                let prefix = if from.bits == 32 { Prefix::F3 } else { Prefix::F2 };
                let source = self.operand(value, 0, from.store_bytes())?;
                let reg = self.temporary_x()?;
                self.asm.sse(prefix, Sse::Cvt, reg, source);
                self.define(result, 0, reg)
            }
            (Bank::Xmm, Bank::X87) => {
                let source = self.xmm(value, 0)?;
                let to = self.define_in_memory(result, 0)?;
                self.asm.store_x(from.store_bytes(), to, source);
                self.asm.fld(from.store_bytes(), to);
                self.asm.fstp(10, to);
                Ok(())
            }
            (Bank::X87, Bank::Xmm) => {
                let source = self.memory(value, 0)?;
                let spare = self.spare()?;
                self.asm.fld(10, source);
                self.asm.fstp(to.store_bytes(), spare);
                let reg = self.temporary_x()?;
                self.asm.load_x(to.store_bytes(), reg, spare);
                self.define(result, 0, reg)
            }
            _ => Err(Reason::Type("of a conversion of floats").into()),
        }
    }

    /// 16 bytes of the frame for what passes through memory within one instruction.
    pub(crate) fn spare(&mut self) -> Result<Mem, Refused> {
        let slot = self.frame.allocate_slot(16)?;
        self.frame.free_slot(slot, 16);
        Ok(Mem::at(gp::RBP, slot))
    }

    fn int_to_float(
        &mut self,
        signed: bool,
        result: Value,
        value: Value,
        from: &[PartType],
        to: &[PartType],
    ) -> Result<(), Refused> {
        let &[to] = to else { return Err(Reason::Internal("a float of several parts").into()) };
        let &[from] = from else {
            let name = match (signed, to.bits) {
                (true, 32) => "__floattisf",
                (true, 64) => "__floattidf",
                (false, 32) => "__floatuntisf",
                (false, 64) => "__floatuntidf",
                (true, _) => "__floattixf",
                (false, _) => "__floatuntixf",
            };
            return self.call_wide(name, result, value, from);
        };
        let bits = u32::from(from.bits);
        if to.bank == Bank::X87 {
            return self.int_to_x87(signed, result, value, from);
        }
        let double = to.bits == 64;
        let reg = self.temporary_x()?;
        // cvtsi2s leaves the rest of the register: without this it would wait for what was there.
        self.asm.sse(Prefix::None, Sse::Xor, reg, reg);
        if signed && matches!(bits, 32 | 64) {
            let width = Width::of_bits(bits);
            let source = self.operand(value, 0, width.bytes())?;
            self.asm.cvt_from_int(double, width, reg, source);
            return self.define(result, 0, reg);
        }
        let source = self.extended(value, from, signed)?;
        if signed || bits < 64 {
            self.asm.cvt_from_int(double, Width::B8, reg, source);
            return self.define(result, 0, reg);
        }
        self.unsigned_to_float(double, reg, source);
        self.define(result, 0, reg)
    }

    /// reg = an unsigned integer of 64 bits, which is changed. reg is zero before.
    pub(crate) fn unsigned_to_float(&mut self, double: bool, reg: Xmm, source: Gp) {
        // Halved, with the lowest bit kept for rounding, and doubled again if the highest bit is set.
        let (big, done) = (self.asm.label(), self.asm.label());
        self.asm.test(Width::B8, source, source);
        self.asm.jcc(Cond::S, big);
        self.asm.cvt_from_int(double, Width::B8, reg, source);
        self.asm.jmp(done);
        self.asm.bind(big);
        self.asm.mov(Width::B8, SCRATCH, source);
        self.asm.alu_i(Alu::And, Width::B4, SCRATCH, 1);
        self.asm.shift_i(Shift::Shr, Width::B8, source, 1);
        self.asm.alu(Alu::Or, Width::B8, source, SCRATCH);
        self.asm.cvt_from_int(double, Width::B8, reg, source);
        self.asm.sse(if double { Prefix::F2 } else { Prefix::F3 }, Sse::Add, reg, reg);
        self.asm.bind(done);
    }

    fn call_wide(
        &mut self,
        name: &'static str,
        result: Value,
        value: Value,
        from: &[PartType],
    ) -> Result<(), Refused> {
        if from.last().is_none_or(|part| part.bits != 64) {
            return Err(Reason::Form("conversion of an odd width beyond 64 bits").into());
        }
        let mut plan = Plan::default();
        plan.pair(value);
        self.call_runtime(name, &plan)?;
        self.take_result(result)
    }

    fn float_to_int(
        &mut self,
        signed: bool,
        result: Value,
        value: Value,
        from: &[PartType],
        to: &[PartType],
    ) -> Result<(), Refused> {
        let &[from] = from else { return Err(Reason::Internal("a float of several parts").into()) };
        let &[to] = to else {
            let name = match (signed, from.bits) {
                (true, 32) => "__fixsfti",
                (true, 64) => "__fixdfti",
                (false, 32) => "__fixunssfti",
                (false, 64) => "__fixunsdfti",
                (true, _) => "__fixxfti",
                (false, _) => "__fixunsxfti",
            };
            if to.last().is_none_or(|part| part.bits != 64) {
                return Err(Reason::Form("conversion of an odd width beyond 64 bits").into());
            }
            let mut plan = Plan::default();
            plan.value(value, from);
            self.call_runtime(name, &plan)?;
            return self.take_result(result);
        };
        if from.bank == Bank::X87 {
            return self.x87_to_int(signed, result, value, to);
        }
        let double = from.bits == 64;
        let bits = u32::from(to.bits);
        if signed || bits < 64 {
            // An unsigned result of 32 bits fits the signed one of 64.
            let width = if bits < 32 || (signed && bits == 32) { Width::B4 } else { Width::B8 };
            let source = self.operand(value, 0, from.store_bytes())?;
            let reg = self.temporary_gp()?;
            self.asm.cvt_to_int(double, width, reg, source);
            return self.define(result, 0, reg);
        }
        let source = self.own_x(value, 0)?;
        let reg = self.float_to_unsigned(double, source)?;
        self.define(result, 0, reg)
    }

    /// A float as an unsigned integer of 64 bits: as a signed one, and if that is too large, less 2^63 as well. The
    /// same operations as LLVM's, so that what does not fit gives the same numbers.
    pub(crate) fn float_to_unsigned(&mut self, double: bool, source: Xmm) -> Result<Gp, Refused> {
        let (reg, rest) = (self.temporary_gp()?, self.temporary_gp()?);
        let high =
            self.constant_memory(if double { HIGH_DOUBLE } else { HIGH_FLOAT }, if double { 8 } else { 4 });
        self.asm.cvt_to_int(double, Width::B8, reg, source);
        self.asm.sse(if double { Prefix::F2 } else { Prefix::F3 }, Sse::Sub, source, high);
        self.asm.cvt_to_int(double, Width::B8, rest, source);
        self.asm.mov(Width::B8, SCRATCH, reg);
        self.asm.shift_i(Shift::Sar, Width::B8, SCRATCH, 63);
        self.asm.alu(Alu::And, Width::B8, rest, SCRATCH);
        self.asm.alu(Alu::Or, Width::B8, reg, rest);
        Ok(reg)
    }
}

impl Compiler<'_> {
    /// Lowers `llvm.fptosi.sat` and `llvm.fptoui.sat`: NaN is 0, what does not fit the nearest limit.
    pub(crate) fn lower_to_int_saturating(
        &mut self,
        signed: bool,
        result: Value,
        value: Value,
    ) -> Result<(), Refused> {
        let (from, to) = (self.single(value)?, self.single(result)?);
        if from.vector || from.bank != Bank::Xmm || to.bank != Bank::Gp {
            return Err(Reason::Form("saturating conversion of other types").into());
        }
        let (double, bits) = (from.bits == 64, u32::from(to.bits));
        let (prefix, bytes) = if double { (Prefix::P66, 8) } else { (Prefix::None, 4) };
        let (low, high) = limits(signed, bits);
        let (low_float, high_float) =
            (float_bits(double, signed, bits, false), float_bits(double, signed, bits, true));
        let source = self.own_x(value, 0)?;
        let reg = self.temporary_gp()?;
        let (small, large, not, done) =
            (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        self.asm.sse(prefix, Sse::Ucomi, source, source);
        self.asm.jcc(Cond::P, not);
        let lowest = self.constant_memory(low_float, bytes);
        self.asm.sse(prefix, Sse::Ucomi, source, lowest);
        self.asm.jcc(Cond::Be, small);
        let highest = self.constant_memory(high_float, bytes);
        self.asm.sse(prefix, Sse::Ucomi, source, highest);
        self.asm.jcc(Cond::Ae, large);
        if !signed && bits == 64 {
            let converted = self.float_to_unsigned(double, source)?;
            self.asm.mov(Width::B8, reg, converted);
        } else {
            self.asm.cvt_to_int(double, Width::B8, reg, source);
        }
        self.asm.jmp(done);
        self.asm.bind(small);
        self.asm.mov_i(reg, low);
        self.asm.jmp(done);
        self.asm.bind(large);
        self.asm.mov_i(reg, high);
        self.asm.jmp(done);
        self.asm.bind(not);
        self.asm.mov_i(reg, 0);
        self.asm.bind(done);
        self.define(result, 0, reg)
    }
}

/// The least and the greatest integer of a type.
fn limits(signed: bool, bits: u32) -> (u64, u64) {
    let all = u64::MAX >> (64 - bits.clamp(1, 64));
    if signed { ((!(all >> 1)), all >> 1) } else { (0, all) }
}

/// The least integer as a float, or one more than the greatest: both are powers of two or 0.
fn float_bits(double: bool, signed: bool, bits: u32, greatest: bool) -> u128 {
    let power = if signed { bits - 1 } else { bits };
    match (greatest, signed, double) {
        (false, false, _) => 0,
        (_, _, true) => u128::from(1023 + power) << 52 | u128::from(!greatest) << 63,
        (_, _, false) => u128::from(127 + power) << 23 | u128::from(!greatest) << 31,
    }
}
