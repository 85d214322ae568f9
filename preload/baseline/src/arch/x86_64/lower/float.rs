//! Arithmetic of floats.

use autojit_bitcode::{Flags, Instruction, Opcode, Type, Value};

use super::super::Compiler;
use super::super::asm::{Cond, Mem, Prefix, Sse, X87, Xmm};
use super::call::Plan;
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

/// The sign bits of four floats and of two doubles.
const SIGNS: [u128; 2] =
    [0x8000_0000_8000_0000_8000_0000_8000_0000, 0x8000_0000_0000_0000_8000_0000_0000_0000];

/// Four times 1 as a float, and twice as a double.
const ONES: [u128; 2] =
    [0x3f80_0000_3f80_0000_3f80_0000_3f80_0000, 0x3ff0_0000_0000_0000_3ff0_0000_0000_0000];

/// What is done with sign bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Flip,
    Clear,
}

impl Compiler<'_> {
    /// Whether the elements of a type are doubles, if it is a float or a vector of floats.
    pub(crate) fn is_double(&self, value: Value) -> Result<bool, Refused> {
        let ty = self.type_of(value)?;
        let scalar = match self.types.get(ty) {
            Type::Vector { element, .. } => element,
            _ => ty,
        };
        match self.types.get(scalar) {
            Type::Double => Ok(true),
            Type::Float => Ok(false),
            _ => Err(Reason::Type("of a float operation").into()),
        }
    }

    /// The prefix of scalar or packed operations.
    pub(crate) fn float_prefix(&mut self, value: Value) -> Result<Prefix, Refused> {
        Ok(prefix_of(self.single(value)?.vector, self.is_double(value)?))
    }

    /// Lowers `fadd` to `frem`.
    pub(crate) fn lower_float(
        &mut self,
        inst: u32,
        opcode: Opcode,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let instruction = *self.instruction(inst)?;
        let result = instruction.result;
        if self.may_be_fused(&instruction) {
            return Err(Reason::Form("float operations that may be fused").into());
        }
        let part = self.single(result)?;
        if opcode == Opcode::FRem {
            return self.lower_remainder(result, left, right, part);
        }
        if part.bank == Bank::X87 {
            let x87 = match opcode {
                Opcode::FAdd => X87::Faddp,
                Opcode::FSub => X87::Fsubp,
                Opcode::FMul => X87::Fmulp,
                _ => X87::Fdivp,
            };
            return self.x87_binary(x87, result, left, right);
        }
        let sse = match opcode {
            Opcode::FAdd => Sse::Add,
            Opcode::FSub => Sse::Sub,
            Opcode::FMul => Sse::Mul,
            _ => Sse::Div,
        };
        let prefix = self.float_prefix(result)?;
        self.force(left)?;
        // Packed operations need aligned memory; only scalar ones take it as it is.
        let right = if part.vector {
            self.xmm(right, 0)?.into()
        } else {
            self.operand(right, 0, part.store_bytes())?
        };
        let own = self.own_x(left, 0)?;
        self.asm.sse(prefix, sse, own, right);
        self.define(result, 0, own)
    }

    fn lower_remainder(
        &mut self,
        result: Value,
        left: Value,
        right: Value,
        part: PartType,
    ) -> Result<(), Refused> {
        let name = match (part.vector, part.bits) {
            (false, 32) => "fmodf",
            (false, 64) => "fmod",
            (false, 80) => "fmodl",
            _ => return Err(Reason::Vector("frem").into()),
        };
        self.call_with_floats(name, result, &[left, right])
    }

    /// Calls a function of the C library whose arguments have the type of its result.
    pub(crate) fn call_with_floats(
        &mut self,
        name: &'static str,
        result: Value,
        arguments: &[Value],
    ) -> Result<(), Refused> {
        let mut plan = Plan::default();
        for &argument in arguments {
            let part = self.single(argument)?;
            plan.value(argument, part);
        }
        self.call_runtime(name, &plan)?;
        self.take_result(result)
    }

    /// Lowers `fneg`.
    pub(crate) fn lower_negate(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        self.lower_sign(Sign::Flip, result, value)
    }

    /// Changes the sign.
    pub(crate) fn lower_sign(&mut self, sign: Sign, result: Value, value: Value) -> Result<(), Refused> {
        if self.parts_of(result)?.first().is_some_and(|part| part.bank == Bank::X87) {
            let x87 = if sign == Sign::Flip { X87::Fchs } else { X87::Fabs };
            return self.x87_unary(&[x87], result, value);
        }
        let signs = self.signs(value)?;
        for (index, part) in self.parts_of(result)?.iter().enumerate() {
            if part.bank != Bank::Xmm {
                return Err(Reason::Vector("a sign").into());
            }
            let before = self.regs.in_use();
            let own = self.own_x(value, index)?;
            match sign {
                Sign::Flip => {
                    self.asm.sse(Prefix::None, Sse::Xor, own, signs);
                    self.define(result, index, own)?;
                }
                Sign::Clear => {
                    let mask = self.temporary_x()?;
                    self.asm.sse(Prefix::None, Sse::Movap, mask, signs);
                    // dst = !dst & src
                    self.asm.sse(Prefix::None, Sse::Andn, mask, own);
                    self.define(result, index, mask)?;
                }
            }
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    fn signs(&mut self, value: Value) -> Result<Mem, Refused> {
        let signs = SIGNS[usize::from(self.is_double(value)?)];
        Ok(self.constant_memory(signs, 16))
    }

    /// Lowers `llvm.copysign`.
    pub(crate) fn lower_copysign(&mut self, result: Value, size: Value, sign: Value) -> Result<(), Refused> {
        if self.single(result)?.bank == Bank::X87 {
            return self.call_with_floats("copysignl", result, &[size, sign]);
        }
        let signs = self.signs(result)?;
        let (own, other, mask) = (self.own_x(size, 0)?, self.own_x(sign, 0)?, self.temporary_x()?);
        self.asm.sse(Prefix::None, Sse::Movap, mask, signs);
        self.asm.sse(Prefix::None, Sse::And, other, mask);
        self.asm.sse(Prefix::None, Sse::Andn, mask, own);
        self.asm.sse(Prefix::None, Sse::Or, mask, other);
        self.define(result, 0, mask)
    }

    /// Lowers `llvm.sqrt`.
    pub(crate) fn lower_square_root(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        let parts = self.parts_of(result)?;
        if parts.iter().any(|part| part.bank == Bank::X87) {
            return self.x87_unary(&[X87::Fsqrt], result, value);
        }
        if parts.iter().any(|part| part.bank != Bank::Xmm) {
            return Err(Reason::Vector("sqrt").into());
        }
        let prefix = prefix_of(self.is_vector(result), self.is_double(result)?);
        for index in 0..parts.len() {
            let before = self.regs.in_use();
            let source = self.xmm(value, index)?;
            let reg = self.temporary_x()?;
            self.asm.sse(prefix, Sse::Sqrt, reg, source);
            self.define(result, index, reg)?;
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// Lowers `llvm.canonicalize` as LLVM does: one times the value, which makes signaling NaNs quiet.
    pub(crate) fn lower_canonical(&mut self, result: Value, value: Value) -> Result<(), Refused> {
        let parts = self.parts_of(result)?;
        if parts.first().is_some_and(|part| part.bank == Bank::X87) {
            return self.x87_unary(&[X87::Fld1, X87::Fmulp], result, value);
        }
        if parts.iter().any(|part| part.bank != Bank::Xmm) {
            return Err(Reason::Vector("canonicalize").into());
        }
        let double = self.is_double(result)?;
        let prefix = prefix_of(self.is_vector(result), double);
        let one = self.constant_memory(ONES[usize::from(double)], 16);
        for index in 0..parts.len() {
            let before = self.regs.in_use();
            let own = self.own_x(value, index)?;
            self.asm.sse(prefix, Sse::Mul, own, one);
            self.define(result, index, own)?;
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// Lowers `llvm.minnum` and `llvm.maxnum`: the other operand if one is NaN.
    pub(crate) fn lower_extremum(
        &mut self,
        greatest: bool,
        result: Value,
        left: Value,
        right: Value,
    ) -> Result<(), Refused> {
        let part = self.single(result)?;
        if part.vector || part.bank != Bank::Xmm {
            return Err(Reason::Vector("minnum").into());
        }
        let prefix = self.float_prefix(result)?;
        let ucomi = if part.bits == 64 { Prefix::P66 } else { Prefix::None };
        let (other, own) = (self.own_x(right, 0)?, self.xmm(left, 0)?);
        // min and max give their second operand if one is NaN: that is the left one here, unless it is NaN itself.
        let (is_nan, done) = (self.asm.label(), self.asm.label());
        let sse = if greatest { Sse::Max } else { Sse::Min };
        self.asm.sse(ucomi, Sse::Ucomi, own, own);
        self.asm.jcc(Cond::P, is_nan);
        self.asm.sse(prefix, sse, other, own);
        self.asm.bind(is_nan);
        self.asm.bind(done);
        self.define(result, 0, other)
    }

    /// Rounds with SSE4.1, else by the C library.
    pub(crate) fn lower_round(
        &mut self,
        mode: u8,
        names: [&'static str; 3],
        result: Value,
        value: Value,
    ) -> Result<(), Refused> {
        let part = self.single(result)?;
        if part.vector {
            return Err(Reason::Vector("rounding").into());
        }
        if part.bank == Bank::Xmm && self.features.sse41 {
            let source = self.xmm(value, 0)?;
            let reg = self.temporary_x()?;
            self.asm.round_x(part.bits == 64, reg, source, mode);
            return self.define(result, 0, reg);
        }
        let name = match part.bits {
            32 => names[0],
            64 => names[1],
            _ => names[2],
        };
        self.call_with_floats(name, result, &[value])
    }

    /// Lowers `llvm.fmuladd`: fused where the processor does that, as LLVM's code, else a multiplication and an addition.
    pub(crate) fn lower_multiply_add(
        &mut self,
        result: Value,
        left: Value,
        right: Value,
        sum: Value,
    ) -> Result<(), Refused> {
        let parts = self.parts_of(result)?;
        if parts.iter().any(|part| part.bank == Bank::X87) {
            return self.x87_multiply_add(result, left, right, sum);
        }
        if parts.iter().any(|part| part.bank != Bank::Xmm) {
            return Err(Reason::Vector("fmuladd").into());
        }
        let (packed, double) = (self.is_vector(result), self.is_double(result)?);
        for (index, part) in parts.iter().enumerate() {
            let before = self.regs.in_use();
            let (own, right, sum): (Xmm, Xmm, Xmm) =
                (self.own_x(left, index)?, self.xmm(right, index)?, self.xmm(sum, index)?);
            if self.features.fma {
                self.asm.multiply_add(double, part.vector, own, right, sum);
            } else {
                let prefix = prefix_of(packed, double);
                self.asm.sse(prefix, Sse::Mul, own, right);
                self.asm.sse(prefix, Sse::Add, own, sum);
            }
            self.define(result, index, own)?;
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// Whether LLVM's code generator may make one instruction of a multiplication and an addition, with another result.
    pub(crate) fn may_be_fused(&self, instruction: &Instruction) -> bool {
        self.features.fma && instruction.flags.has(Flags::CONTRACT)
    }
}

/// The prefix of scalar or packed operations of floats or doubles.
fn prefix_of(packed: bool, double: bool) -> Prefix {
    match (packed, double) {
        (false, false) => Prefix::F3,
        (false, true) => Prefix::F2,
        (true, false) => Prefix::None,
        (true, true) => Prefix::P66,
    }
}
