//! Copies and fills of memory: inline where the size is small and known, else by the C library.

use autojit_bitcode::Value;

use super::super::Compiler;
use super::super::asm::{Mem, Width, gp};
use super::super::registers::{SCRATCH, SCRATCH_X};
use super::call::Plan;
use super::function::POINTER;
use crate::refused::{Reason, Refused};

/// Copies of at most so many bytes are made inline.
const INLINE: u64 = 128;

impl Compiler<'_> {
    /// Lowers `llvm.memcpy` and `llvm.memmove`.
    pub(crate) fn lower_copy_memory(
        &mut self,
        overlaps: bool,
        to: Value,
        from: Value,
        size: Value,
    ) -> Result<(), Refused> {
        let known = self.constant_bits(size)?;
        if known == Some(0) {
            return Ok(());
        }
        if let Some(bytes) = known.filter(|bytes| *bytes <= INLINE && !overlaps) {
            let (to, from) = (self.address(to)?, self.address(from)?);
            return self.copy_bytes(to, from, bytes);
        }
        let mut plan = Plan::default();
        for value in [to, from] {
            plan.value(value, POINTER);
        }
        let size_part = self.single(size)?;
        if size_part.bits != 64 {
            return Err(Reason::Form("a size that is not of 64 bits").into());
        }
        plan.value(size, POINTER);
        self.call_runtime(if overlaps { "memmove" } else { "memcpy" }, &plan)
    }

    /// Copies bytes that do not overlap. Changes r11 and xmm15, and rsi, rdi and rcx if there are many.
    pub(crate) fn copy_bytes(&mut self, to: Mem, from: Mem, bytes: u64) -> Result<(), Refused> {
        if bytes > INLINE {
            let (target, source) = (self.address_register(to)?, self.address_register(from)?);
            for reg in [gp::RDI, gp::RSI, gp::RCX] {
                self.asm.push(reg);
            }
            self.asm.push(source);
            self.asm.mov(Width::B8, gp::RDI, target);
            self.asm.pop(gp::RSI);
            self.asm.mov_i(gp::RCX, bytes);
            self.asm.rep_movs(false);
            for reg in [gp::RCX, gp::RSI, gp::RDI] {
                self.asm.pop(reg);
            }
            return Ok(());
        }
        let mut at = 0_i32;
        let mut left = bytes as u32;
        while left > 0 {
            let chunk = [16, 8, 4, 2, 1].into_iter().find(|chunk| *chunk <= left).unwrap_or(1);
            let (Some(to), Some(from)) = (to.plus(at), from.plus(at)) else {
                return Err(Reason::Size.into());
            };
            match chunk {
                16 => {
                    self.asm.load_x(16, SCRATCH_X, from);
                    self.asm.store_x(16, to, SCRATCH_X);
                }
                _ => {
                    let width = Width::of_bits(chunk * 8);
                    self.asm.movzx(width, SCRATCH, from);
                    self.asm.mov_mr(width, to, SCRATCH);
                }
            }
            at += chunk as i32;
            left -= chunk;
        }
        Ok(())
    }

    /// Lowers `llvm.memset`.
    pub(crate) fn lower_set_memory(&mut self, to: Value, byte: Value, size: Value) -> Result<(), Refused> {
        let (known, fill) = (self.constant_bits(size)?, self.constant_bits(byte)?);
        if known == Some(0) {
            return Ok(());
        }
        if let (Some(bytes), Some(fill)) = (known.filter(|bytes| *bytes <= INLINE), fill) {
            let to = self.address(to)?;
            return self.fill_bytes(to, fill as u8, bytes);
        }
        if self.single(size)?.bits != 64 {
            return Err(Reason::Form("a size that is not of 64 bits").into());
        }
        let byte_part = self.single(byte)?;
        let mut plan = Plan::default();
        plan.value(to, POINTER);
        plan.value(byte, byte_part);
        plan.value(size, POINTER);
        self.call_runtime("memset", &plan)
    }

    fn fill_bytes(&mut self, to: Mem, fill: u8, bytes: u64) -> Result<(), Refused> {
        let pattern = u128::from_le_bytes([fill; 16]);
        let mut left = bytes as u32;
        if left >= 16 {
            self.load_vector_constant(SCRATCH_X, pattern, 16);
        }
        if !left.is_multiple_of(16) {
            self.asm.mov_i(SCRATCH, pattern as u64);
        }
        let mut at = 0_i32;
        while left > 0 {
            let chunk = [16, 8, 4, 2, 1].into_iter().find(|chunk| *chunk <= left).unwrap_or(1);
            let to = to.plus(at).ok_or(Reason::Size)?;
            match chunk {
                16 => self.asm.store_x(16, to, SCRATCH_X),
                _ => self.asm.mov_mr(Width::of_bits(chunk * 8), to, SCRATCH),
            }
            at += chunk as i32;
            left -= chunk;
        }
        Ok(())
    }
}
