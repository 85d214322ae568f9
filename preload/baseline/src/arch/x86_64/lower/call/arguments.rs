//! Arguments of calls: computed, moved to their registers, stored on the stack.

use autojit_bitcode::Value;

use super::{Callee, Passed, Plan, What};
use crate::arch::x86_64::Compiler;
use crate::arch::x86_64::abi::Location;
use crate::arch::x86_64::asm::{Gp, Mem, Rm, Width, Xmm, gp};
use crate::arch::x86_64::constants::Source;
use crate::arch::x86_64::registers::{Reg, SCRATCH, SCRATCH_X};
use crate::arch::x86_64::values::{Part, ValueState};
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

impl Compiler<'_> {
    /// Computes what is passed, and stores what is needed later.
    pub(super) fn force_arguments(&mut self, plan: &Plan, callee: Callee) -> Result<(), Refused> {
        for passed in &plan.passed {
            if let What::Part(value, _) | What::Copy(value, _) = passed.what {
                self.force(value)?;
            }
        }
        if let Callee::Pointer(value) = callee {
            self.force(value)?;
        }
        self.store_across_call()?;
        // What was computed for the arguments is in registers or slots now.
        self.regs.end_instruction();
        Ok(())
    }

    /// Puts arguments into their registers.
    pub(super) fn move_arguments(&mut self, plan: &Plan) -> Result<(), Refused> {
        for passed in &plan.passed {
            let (reg, gp): (Reg, Option<Gp>) = match passed.location {
                Location::Gp(reg) => (reg.into(), Some(reg)),
                Location::Xmm(reg) => (reg.into(), None),
                Location::High(_) | Location::Stack(_) | Location::X87(_) => continue,
            };
            match passed.what {
                What::Part(value, part) => self.take_for(reg, value, part)?,
                What::Frame(offset) => {
                    self.take(reg)?;
                    self.asm.lea(reg.gp(), Mem::at(gp::RBP, offset));
                }
                What::Copy(..) => return Err(Reason::Internal("memory in a register").into()),
            }
            if let (Some((bits, signed)), Some(reg)) = (passed.extend, gp) {
                self.extend(reg, bits, signed);
            }
        }
        // The lower halves are there.
        for passed in &plan.passed {
            if let (Location::High(reg), What::Part(value, part)) = (passed.location, passed.what) {
                self.put_high(reg, value, part)?;
            }
        }
        Ok(())
    }

    /// Puts a part of a value, which has come into being, into the upper half of a register.
    pub(crate) fn put_high(&mut self, reg: Xmm, value: Value, part: usize) -> Result<(), Refused> {
        let from: Rm = match self.source(value, part)? {
            Source::Local(local, part) if self.assignments[local].state == ValueState::Live => {
                match self.part(local, part) {
                    Part { reg: Some(from), .. } => from.xmm().into(),
                    Part { stored: true, .. } => self.slot(local, part)?.into(),
                    _ => return Err(Reason::Internal("a value is nowhere").into()),
                }
            }
            Source::Bits(bits) => self.constant_memory(bits, 16).into(),
            _ => return Err(Reason::Internal("no vector").into()),
        };
        self.asm.insert_high(reg, from);
        Ok(())
    }

    /// Puts a part of a value into a particular register, for a call or return.
    pub(crate) fn take_for(&mut self, reg: Reg, value: Value, part: usize) -> Result<(), Refused> {
        self.force(value)?;
        if self.variable(value).is_none()
            && let Source::Local(local, part) = self.source(value, part)?
            && self.assignments[local].state == ValueState::Live
            && self.part(local, part).reg == Some(reg)
        {
            if self.lives_on(local) {
                self.store_part(local, part)?;
            }
            self.part_mut(local, part).reg = None;
            self.regs.steal(reg);
            return Ok(());
        }
        self.take(reg)?;
        self.read_into(value, part, reg)
    }

    pub(super) fn pass_on_stack(&mut self, passed: &Passed, to: Mem) -> Result<(), Refused> {
        match passed.what {
            What::Part(value, part) => {
                let ty = self.part_type(value, part)?;
                match (ty.bank, passed.extend) {
                    (Bank::Gp, Some((bits, signed))) => {
                        self.read_into(value, part, SCRATCH)?;
                        self.extend(SCRATCH, bits, signed);
                        self.asm.mov_mr(Width::B8, to, SCRATCH);
                    }
                    (Bank::Gp, None) => {
                        self.read_into(value, part, SCRATCH)?;
                        self.asm.mov_mr(Width::B8, to, SCRATCH);
                    }
                    (Bank::Xmm, _) => {
                        self.read_into(value, part, SCRATCH_X)?;
                        let bytes = if ty.vector { 16 } else { ty.store_bytes() };
                        self.asm.store_x(bytes, to, SCRATCH_X);
                    }
                    (Bank::X87, _) => {
                        let from = self.memory(value, part)?;
                        self.asm.load_x(16, SCRATCH_X, from);
                        self.asm.store_x(16, to, SCRATCH_X);
                    }
                }
            }
            What::Frame(offset) => {
                self.asm.lea(SCRATCH, Mem::at(gp::RBP, offset));
                self.asm.mov_mr(Width::B8, to, SCRATCH);
            }
            What::Copy(value, size) => {
                let from = self.address(value)?;
                self.copy_bytes(to, from, size.into())?;
                self.regs.end_instruction();
            }
        }
        Ok(())
    }
}
