//! Operands: values in registers, in memory or as immediates, for the instruction that reads them.

use autojit_bitcode::{Constant, Value};

use super::super::Compiler;
use super::super::asm::{Base, Gp, Mem, Rm, Width, Xmm, gp};
use super::super::constants::Source;
use super::super::registers::Reg;
use super::{Part, ValueState};
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// A part of a local value in a register, to be read until the instruction ends.
    pub(super) fn local_reg(&mut self, local: usize, part: usize) -> Result<Reg, Refused> {
        let Part { ty, reg, .. } = *self.part(local, part);
        let reg = match reg {
            Some(reg) => reg,
            None => {
                let reg = self.temporary(ty.bank)?;
                self.load_part(reg, local, part)?;
                self.regs.occupy(reg, local as u32, part as u8);
                self.part_mut(local, part).reg = Some(reg);
                reg
            }
        };
        self.regs.lock(reg);
        Ok(reg)
    }

    /// A part of a value in a register, to be read until the instruction ends.
    pub(crate) fn read(&mut self, value: Value, part: usize) -> Result<Reg, Refused> {
        if let Some(reg) = self.variable(value) {
            return Ok(reg);
        }
        self.force(value)?;
        match self.source(value, part)? {
            Source::Local(local, part) if self.assignments[local].state == ValueState::Live => {
                self.local_reg(local, part)
            }
            source => {
                let bank = self.part_type(value, part)?.bank;
                let reg = self.temporary(bank)?;
                self.load_source(reg, source, value, part)?;
                Ok(reg)
            }
        }
    }

    /// The same for an integer or pointer.
    pub(crate) fn gp(&mut self, value: Value, part: usize) -> Result<Gp, Refused> {
        let reg = self.read(value, part)?;
        if reg.is_vector() { Err(Reason::Internal("not an integer").into()) } else { Ok(reg.gp()) }
    }

    /// The same for a float or vector.
    pub(crate) fn xmm(&mut self, value: Value, part: usize) -> Result<Xmm, Refused> {
        let reg = self.read(value, part)?;
        if reg.is_vector() { Ok(reg.xmm()) } else { Err(Reason::Internal("not a float").into()) }
    }

    /// Puts a part of a value into a register that the instruction has.
    pub(crate) fn read_into(
        &mut self,
        value: Value,
        part: usize,
        dst: impl Into<Reg>,
    ) -> Result<(), Refused> {
        if let Some(reg) = self.variable(value) {
            self.move_register(dst.into(), reg);
            return Ok(());
        }
        self.force(value)?;
        let source = self.source(value, part)?;
        self.load_source(dst.into(), source, value, part)
    }

    /// A part of a value in a temporary register, to be changed: the value's own if it is not needed afterwards.
    pub(crate) fn own(&mut self, value: Value, part: usize) -> Result<Reg, Refused> {
        if let Some(variable) = self.variable(value) {
            let reg = self.fresh(Bank::Gp)?;
            self.move_register(reg, variable);
            return Ok(reg);
        }
        self.force(value)?;
        let source = self.source(value, part)?;
        if let Source::Local(local, part) = source
            && self.assignments[local].state == ValueState::Live
            && let Some(reg) = self.part(local, part).reg
            && self.dies(local)
        {
            self.part_mut(local, part).reg = None;
            self.regs.steal(reg);
            return Ok(reg);
        }
        let bank = self.part_type(value, part)?.bank;
        let reg = self.fresh(bank)?;
        self.load_source(reg, source, value, part)?;
        Ok(reg)
    }

    /// The same for an integer or pointer.
    pub(crate) fn own_gp(&mut self, value: Value, part: usize) -> Result<Gp, Refused> {
        let reg = self.own(value, part)?;
        if reg.is_vector() { Err(Reason::Internal("not an integer").into()) } else { Ok(reg.gp()) }
    }

    /// The same for a float or vector.
    pub(crate) fn own_x(&mut self, value: Value, part: usize) -> Result<Xmm, Refused> {
        let reg = self.own(value, part)?;
        if reg.is_vector() { Ok(reg.xmm()) } else { Err(Reason::Internal("not a float").into()) }
    }

    /// A part of a value as an operand of so many bytes: in a register, or in memory if it is there and not in one.
    pub(crate) fn operand(&mut self, value: Value, part: usize, bytes: u32) -> Result<Rm, Refused> {
        if let Some(reg) = self.variable(value) {
            return Ok(reg.gp().into());
        }
        if let Some(mem) = self.deferred_load(value, bytes)? {
            return Ok(mem.into());
        }
        self.force(value)?;
        match self.source(value, part)? {
            Source::Local(local, part) if self.assignments[local].state == ValueState::Live => {
                let info = *self.part(local, part);
                // What is needed again is better in a register.
                if info.reg.is_none() && info.stored && self.dies(local) && bytes <= info.ty.slot_bytes() {
                    return Ok(self.slot(local, part)?.into());
                }
                let reg = self.local_reg(local, part)?;
                Ok(Rm::Reg(reg.0 & 15))
            }
            Source::Bits(bits) if self.part_type(value, part)?.bank == Bank::Xmm && bits != 0 => {
                Ok(self.constant_memory(bits, bytes).into())
            }
            _ => Ok(Rm::Reg(self.read(value, part)?.0 & 15)),
        }
    }

    /// A constant integer as an immediate operand of this width.
    pub(crate) fn immediate(
        &mut self,
        value: Value,
        part: usize,
        width: Width,
    ) -> Result<Option<i32>, Refused> {
        if self.analysis.locals.local(value).is_some() {
            return Ok(None);
        }
        let bits = match self.plain_constant(value) {
            Some(bits) if part == 0 => bits,
            _ => match self.source(value, part)? {
                Source::Bits(bits) => bits as u64,
                _ => return Ok(None),
            },
        };
        Ok(match width {
            Width::B1 => Some(i32::from(bits as i8)),
            Width::B2 => Some(i32::from(bits as i16)),
            Width::B4 => Some(bits as i32),
            Width::B8 => i32::try_from(bits as i64).ok(),
        })
    }

    /// The first part of a constant, if that is a plain number: most are.
    pub(super) fn plain_constant(&self, value: Value) -> Option<u64> {
        match self.body.constant(self.module, value)? {
            Constant::Int(int) => Some(int as u64),
            Constant::Null => Some(0),
            _ => None,
        }
    }

    /// A constant integer of at most 64 bits, zero-extended from its width.
    pub(crate) fn constant_bits(&mut self, value: Value) -> Result<Option<u64>, Refused> {
        if self.analysis.locals.local(value).is_some() {
            return Ok(None);
        }
        let bits = u32::from(self.part_type(value, 0)?.bits);
        let found = match self.plain_constant(value) {
            Some(found) => found,
            None => match self.source(value, 0)? {
                Source::Bits(found) => found as u64,
                _ => return Ok(None),
            },
        };
        Ok(Some(found & (u64::MAX >> (64 - bits.clamp(1, 64)))))
    }

    /// Writes what a part is into a register.
    pub(super) fn load_source(
        &mut self,
        dst: Reg,
        source: Source,
        value: Value,
        part: usize,
    ) -> Result<(), Refused> {
        match source {
            Source::Local(local, part) => match self.assignments[local].state {
                ValueState::Frame(offset) => self.asm.lea(dst.gp(), Mem::at(gp::RBP, offset)),
                ValueState::Live => match self.part(local, part).reg {
                    Some(reg) => self.move_register(dst, reg),
                    None => self.load_part(dst, local, part)?,
                },
                _ => return Err(Reason::Internal("a value is not defined").into()),
            },
            Source::Bits(bits) if dst.is_vector() => {
                let bytes = self.part_type(value, part)?.store_bytes();
                self.load_vector_constant(dst.xmm(), bits, bytes);
            }
            Source::Bits(bits) => {
                // Flags may be live: no xor. The form without a sign is shorter where the upper half does not matter.
                let narrow = self.part_type(value, part)?.bits <= 32;
                self.asm.mov_i(dst.gp(), if narrow { u64::from(bits as u32) } else { bits as u64 });
            }
            Source::Symbol(global, addend) => self.load_symbol(dst.gp(), global, addend)?,
            Source::Block(block) => {
                let label = self.block_label(block)?;
                let mem = Mem { base: Base::Label(label), index: None, disp: 0 };
                self.asm.lea(dst.gp(), mem);
            }
        }
        Ok(())
    }

    /// The memory of a value that is kept in memory only; constants come from the function's own.
    pub(crate) fn memory(&mut self, value: Value, part: usize) -> Result<Mem, Refused> {
        self.force(value)?;
        match self.source(value, part)? {
            Source::Local(local, part) => self.slot(local, part),
            Source::Bits(bits) => Ok(self.constant_memory(bits, 16)),
            _ => Err(Reason::Internal("not in memory").into()),
        }
    }
}
