//! Addresses in operands: what a load or store takes from `getelementptr`, allocas and globals without computing it.

use autojit_bitcode::{Constant, Opcode, Type, TypeId, Value};

use super::Compiler;
use super::asm::{Base, Gp, Mem, Width, gp};
use super::constants::{Source, sign_extend};
use super::registers::SCRATCH;
use super::values::ValueState;
use crate::code::{RelocationKind, RelocationTarget};
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

/// One index of `getelementptr` that is not a constant: the value and how far a step leads.
struct Variable {
    index: Value,
    scale: i64,
}

impl Compiler<'_> {
    /// A memory operand for the address that `value` is. Its registers are locked until the instruction ends.
    pub(crate) fn address(&mut self, value: Value) -> Result<Mem, Refused> {
        if let ValueState::Deferred(inst, _) = self.state_of(value)
            && let Some(instruction) = self.body.instructions.get(inst as usize)
            && instruction.opcode == Opcode::GetElementPtr
        {
            return self.element_address(inst);
        }
        if let ValueState::Frame(offset) = self.state_of(value) {
            return Ok(Mem::at(gp::RBP, offset));
        }
        if self.analysis.locals.local(value).is_none()
            && let Source::Symbol(global, addend) = self.source(value, 0)?
            && let Ok(disp) = i32::try_from(addend)
        {
            if self.is_near(global) {
                return Ok(Mem::symbol(RelocationKind::Pc32, RelocationTarget::Global(global), disp));
            }
            let base = self.temporary_gp()?;
            self.load_symbol(base, global, 0)?;
            return Ok(Mem::at(base, disp));
        }
        Ok(Mem::at(self.gp(value, 0)?, 0))
    }

    /// The address that a `getelementptr` computes.
    fn element_address(&mut self, inst: u32) -> Result<Mem, Refused> {
        let body = self.body;
        let Some(instruction) = body.instructions.get(inst as usize) else {
            return Err(Reason::Internal("an instruction out of range").into());
        };
        let Some((&base, indices)) = body.operands(instruction).split_first() else {
            return Err(Reason::Internal("an address without a base").into());
        };
        let (offset, variables) = self.steps(instruction.source_type(), indices)?;
        let mut mem = self.address(base)?;
        if let Some(sum) = i32::try_from(offset).ok().and_then(|offset| mem.plus(offset)) {
            mem = sum;
        } else {
            let sum = self.temporary_gp()?;
            self.asm.lea(sum, mem);
            self.asm.mov_i(SCRATCH, offset as u64);
            mem = Mem { index: Some((SCRATCH, 0)), ..Mem::at(sum, 0) };
            self.asm.lea(sum, mem);
            mem = Mem::at(sum, 0);
        }
        for Variable { index, scale } in variables {
            mem = self.add_scaled(mem, index, scale)?;
        }
        Ok(mem)
    }

    /// The sum of the constant indices in bytes, and the others.
    fn steps(&mut self, source: TypeId, indices: &[Value]) -> Result<(i64, Vec<Variable>), Refused> {
        let (mut offset, mut ty, mut variables) = (0_i64, source, Vec::new());
        for (depth, &index) in indices.iter().enumerate() {
            let first = depth == 0;
            let constant = match self.analysis.locals.local(index) {
                Some(_) => None,
                None => self.body.constant(self.module, index),
            };
            let number = match constant {
                Some(Constant::Int(number)) => Some(number),
                Some(Constant::Null | Constant::Undef | Constant::Poison) => Some(0),
                _ => None,
            };
            if let Some(number) = number {
                let (by, inner) = self.step(ty, first, number)?;
                offset = offset.wrapping_add(by);
                ty = inner;
                continue;
            }
            if matches!(self.types.get(self.type_of(index)?), Type::Vector { .. }) {
                return Err(Reason::Vector("getelementptr").into());
            }
            if !first && matches!(self.types.get(ty), Type::Struct { .. }) {
                return Err(Reason::Internal("a field that is no number").into());
            }
            let (scale, inner) = self.step(ty, first, 1)?;
            if scale != 0 {
                variables.push(Variable { index, scale });
            }
            ty = inner;
        }
        Ok((offset, variables))
    }

    /// mem + index * scale
    fn add_scaled(&mut self, mem: Mem, index: Value, scale: i64) -> Result<Mem, Refused> {
        let bits = u32::from(self.single(index)?.bits);
        if let Some(bits_of) = self.constant_bits(index)? {
            let by = sign_extend(bits_of, bits).wrapping_mul(scale);
            if let Some(sum) = i32::try_from(by).ok().and_then(|by| mem.plus(by)) {
                return Ok(sum);
            }
        }
        let plain = matches!(mem.base, Base::Reg(_)) && mem.index.is_none();
        let mem = if plain { mem } else { Mem::at(self.address_register(mem)?, 0) };
        if bits == 64
            && let Some(log) = [1, 2, 4, 8].iter().position(|it| *it == scale)
        {
            let index = self.gp(index, 0)?;
            return Ok(Mem { index: Some((index, log as u8)), ..mem });
        }
        let product = if bits == 64 {
            let product = self.temporary_gp()?;
            let source = self.gp(index, 0)?;
            self.multiply(product, source, scale);
            return Ok(Mem { index: Some((product, 0)), ..mem });
        } else {
            let product = self.temporary_gp()?;
            self.read_into(index, 0, product)?;
            self.extend(product, bits, true);
            product
        };
        if let Some(log) = [1, 2, 4, 8].iter().position(|it| *it == scale) {
            return Ok(Mem { index: Some((product, log as u8)), ..mem });
        }
        self.multiply(product, product, scale);
        Ok(Mem { index: Some((product, 0)), ..mem })
    }

    fn multiply(&mut self, dst: Gp, src: Gp, by: i64) {
        match i32::try_from(by) {
            Ok(by) => self.asm.imul_i(Width::B8, dst, src, by),
            Err(_) => {
                self.asm.mov_i(SCRATCH, by as u64);
                self.move_register(dst.into(), src.into());
                self.asm.imul(Width::B8, dst, SCRATCH);
            }
        }
    }

    /// A temporary register with the address of a memory operand.
    pub(crate) fn address_register(&mut self, mem: Mem) -> Result<Gp, Refused> {
        let reg = self.temporary_gp()?;
        self.asm.lea(reg, mem);
        Ok(reg)
    }

    /// Lowers `getelementptr`: deferred where that helps, else computed.
    pub(crate) fn lower_address(&mut self, inst: u32, result: Value) -> Result<(), Refused> {
        if matches!(self.types.get(self.type_of(result)?), Type::Vector { .. }) {
            return Err(Reason::Vector("getelementptr").into());
        }
        let mem = self.element_address(inst)?;
        let reg = self.fresh(Bank::Gp)?.gp();
        match mem {
            Mem { base: Base::Reg(base), index: None, disp: 0 } => {
                self.move_register(reg.into(), base.into())
            }
            mem => self.asm.lea(reg, mem),
        }
        self.define(result, 0, reg)
    }
}
