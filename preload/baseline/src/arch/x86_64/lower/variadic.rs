//! Variadic functions: `va_list` as the System V ABI lays it out.
//!
//! ```text
//! 0   how far the integers of the save area have been read
//! 4   how far its floats have been read
//! 8   the next argument on the stack
//! 16  the save area: six integers, eight vectors
//! ```

use autojit_bitcode::Value;

use super::super::Compiler;
use super::super::abi::Arguments;
use super::super::asm::{Cond, Mem, Width, Xmm, gp};
use super::super::registers::SCRATCH;
use crate::refused::{Reason, Refused};

const INTEGERS: i32 = 48;
const SAVE_AREA: u64 = INTEGERS as u64 + 8 * 16;

impl Compiler<'_> {
    /// Saves the registers that arguments may be in. `named` are those that have a name.
    pub(crate) fn save_registers(&mut self, named: Arguments) -> Result<(), Refused> {
        let area = self.frame.allocate(SAVE_AREA, 16)?;
        let registers = [gp::RDI, gp::RSI, gp::RDX, gp::RCX, gp::R8, gp::R9];
        for (index, reg) in registers.into_iter().enumerate().skip(named.integers) {
            self.asm.mov_mr(Width::B8, Mem::at(gp::RBP, area + 8 * index as i32), reg);
        }
        // al: how many vector registers are in use, at most.
        let none = self.asm.label();
        self.asm.test(Width::B1, gp::RAX, gp::RAX);
        self.asm.jcc(Cond::E, none);
        for index in named.vectors..8 {
            let mem = Mem::at(gp::RBP, area + INTEGERS + 16 * index as i32);
            self.asm.store_x(16, mem, Xmm(index as u8));
        }
        self.asm.bind(none);
        self.signature.variadic = Some((named, area));
        Ok(())
    }

    /// Lowers `llvm.va_start`.
    pub(crate) fn lower_va_start(&mut self, list: Value) -> Result<(), Refused> {
        let (named, area) =
            self.signature.variadic.ok_or(Reason::Form("va_start without variadic arguments"))?;
        let list = self.address(list)?;
        let field = |by: i32| list.plus(by).ok_or(Refused::from(Reason::Size));
        self.asm.mov_mi(Width::B4, field(0)?, 8 * named.integers as i32);
        self.asm.mov_mi(Width::B4, field(4)?, INTEGERS + 16 * named.vectors as i32);
        self.asm.lea(SCRATCH, Mem::at(gp::RBP, 16 + named.stack as i32));
        self.asm.mov_mr(Width::B8, field(8)?, SCRATCH);
        self.asm.lea(SCRATCH, Mem::at(gp::RBP, area));
        self.asm.mov_mr(Width::B8, field(16)?, SCRATCH);
        Ok(())
    }

    /// Lowers `llvm.va_copy`.
    pub(crate) fn lower_va_copy(&mut self, to: Value, from: Value) -> Result<(), Refused> {
        let (to, from) = (self.address(to)?, self.address(from)?);
        self.copy_bytes(to, from, 24)
    }

    /// `va_arg`: front ends for x86-64 write out what it does.
    pub(crate) fn lower_va_arg(&mut self, _result: Value, _list: Value) -> Result<(), Refused> {
        Err(Reason::Instruction("va_arg").into())
    }
}
