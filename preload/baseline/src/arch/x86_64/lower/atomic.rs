//! Fences and atomic read-modify-write operations.

use autojit_bitcode::{Ordering, RmwOp, Value};

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Gp, Unary, Width, gp};
use crate::parts::{Bank, PartType};
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// Lowers `fence`: only the strongest needs an instruction.
    pub(crate) fn lower_fence(&mut self, ordering: Ordering) -> Result<(), Refused> {
        if ordering == Ordering::SequentiallyConsistent {
            self.asm.mfence();
        }
        Ok(())
    }

    /// The width of an atomic operation on integers or pointers.
    fn atomic_width(&mut self, inst: u32, value: Value) -> Result<Width, Refused> {
        let parts = self.parts_of(value)?;
        let instruction = *self.instruction(inst)?;
        self.check_atomic(&instruction, &parts)?;
        match &*parts {
            [PartType { bank: Bank::Gp, bits: bits @ (8 | 16 | 32 | 64), .. }] => {
                Ok(Width::of_bits((*bits).into()))
            }
            _ => Err(Reason::Form("an atomic operation on another type").into()),
        }
    }

    /// Lowers `cmpxchg`.
    pub(crate) fn lower_cmpxchg(
        &mut self,
        inst: u32,
        address: Value,
        expected: Value,
        new: Value,
    ) -> Result<(), Refused> {
        let width = self.atomic_width(inst, new)?;
        let result = self.instruction(inst)?.result;
        self.force_all(&[expected, new])?;
        self.take_for(gp::RAX.into(), expected, 0)?;
        let mem = self.address(address)?;
        let new = self.gp(new, 0)?;
        self.asm.lock_cmpxchg(width, mem, new);
        let done = self.temporary_gp()?;
        self.asm.setcc(Cond::E, done);
        if self.is_used(result) {
            self.define(result, 0, gp::RAX)?;
            self.define(result, 1, done)?;
        }
        Ok(())
    }

    /// Lowers `atomicrmw`.
    pub(crate) fn lower_rmw(&mut self, inst: u32, address: Value, value: Value) -> Result<(), Refused> {
        let width = self.atomic_width(inst, value)?;
        let instruction = *self.instruction(inst)?;
        let (result, used) = (instruction.result, self.is_used(instruction.result));
        self.force_all(&[value])?;
        match instruction.rmw() {
            RmwOp::Xchg => {
                let mem = self.address(address)?;
                let own = self.own_gp(value, 0)?;
                self.asm.xchg(width, mem, own);
                self.define(result, 0, own)
            }
            op @ (RmwOp::Add | RmwOp::Sub) => {
                let mem = self.address(address)?;
                let own = self.own_gp(value, 0)?;
                if op == RmwOp::Sub {
                    self.asm.unary(Unary::Neg, width, own);
                }
                self.asm.lock_xadd(width, mem, own);
                self.define(result, 0, own)
            }
            op @ (RmwOp::And | RmwOp::Or | RmwOp::Xor) if !used => {
                let mem = self.address(address)?;
                let reg = self.gp(value, 0)?;
                let alu = match op {
                    RmwOp::And => Alu::And,
                    RmwOp::Or => Alu::Or,
                    _ => Alu::Xor,
                };
                self.asm.lock_alu_mr(alu, width, mem, reg);
                Ok(())
            }
            op => self.lower_rmw_loop(op, width, result, address, value),
        }
    }

    /// Computes and tries to exchange until nothing came between.
    fn lower_rmw_loop(
        &mut self,
        op: RmwOp,
        width: Width,
        result: Value,
        address: Value,
        value: Value,
    ) -> Result<(), Refused> {
        self.take(gp::RAX)?;
        let mem = self.address(address)?;
        let operand = self.gp(value, 0)?;
        let new = self.temporary_gp()?;
        self.asm.mov(width, gp::RAX, mem);
        let again = self.asm.label();
        self.asm.bind(again);
        self.asm.mov(Width::B8, new, gp::RAX);
        self.combine(op, width, new, operand)?;
        self.asm.lock_cmpxchg(width, mem, new);
        self.asm.jcc(Cond::Ne, again);
        self.define(result, 0, gp::RAX)
    }

    fn combine(&mut self, op: RmwOp, width: Width, new: Gp, operand: Gp) -> Result<(), Refused> {
        let cond = match op {
            RmwOp::And => return self.combine_alu(Alu::And, new, operand),
            RmwOp::Or => return self.combine_alu(Alu::Or, new, operand),
            RmwOp::Xor => return self.combine_alu(Alu::Xor, new, operand),
            RmwOp::Nand => {
                self.combine_alu(Alu::And, new, operand)?;
                self.asm.unary(Unary::Not, Width::B8, new);
                return Ok(());
            }
            RmwOp::Max => Cond::L,
            RmwOp::Min => Cond::G,
            RmwOp::UMax => Cond::B,
            RmwOp::UMin => Cond::A,
            _ => return Err(Reason::Form("an atomic operation of this kind").into()),
        };
        self.asm.alu(Alu::Cmp, width, new, operand);
        self.asm.cmov(cond, Width::B8, new, operand);
        Ok(())
    }

    fn combine_alu(&mut self, alu: Alu, new: Gp, operand: Gp) -> Result<(), Refused> {
        self.asm.alu(alu, Width::B8, new, operand);
        Ok(())
    }
}
