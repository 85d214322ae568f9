//! `llvm.is.fpclass`: which kind of number a float is, from its bits.

use autojit_bitcode::Value;

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Shift, Width};
use super::super::registers::SCRATCH;
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

/// The bits of a class of positive and of negative numbers in the mask.
const ZERO: (u32, u32) = (6, 5);
const SUBNORMAL: (u32, u32) = (7, 4);
const NORMAL: (u32, u32) = (8, 3);
const INFINITE: (u32, u32) = (9, 2);
const SIGNALLING: (u32, u32) = (0, 0);
const QUIET: (u32, u32) = (1, 1);

impl Compiler<'_> {
    pub(crate) fn lower_class(&mut self, result: Value, value: Value, classes: Value) -> Result<(), Refused> {
        let part = self.single(value)?;
        if part.bank != Bank::Xmm || part.vector {
            return Err(Reason::Form("the class of another type").into());
        }
        let classes =
            self.constant_bits(classes)?.ok_or(Reason::Internal("classes that are no number"))? as u32;
        let (bits, significand) = if part.bits == 64 { (64, 52) } else { (32, 23) };
        let width = Width::of_bits(bits);
        let infinity = (u64::MAX >> (65 - bits)) & (u64::MAX << significand);
        let (source, whole, size) = (self.xmm(value, 0)?, self.temporary_gp()?, self.temporary_gp()?);
        self.asm.mov_gx(width, whole, source);
        self.asm.mov(width, size, whole);
        self.asm.mov_i(SCRATCH, u64::MAX >> (65 - bits));
        self.asm.alu(Alu::And, width, size, SCRATCH);
        // The least size that is not of the class any more.
        let bounds = [
            (ZERO, 1),
            (SUBNORMAL, 1 << significand),
            (NORMAL, infinity),
            (INFINITE, infinity + 1),
            (SIGNALLING, infinity | 1 << (significand - 1)),
        ];
        let labels = bounds.map(|_| self.asm.label());
        let done = self.asm.label();
        for ((_, bound), label) in bounds.iter().zip(labels) {
            self.asm.mov_i(SCRATCH, *bound);
            self.asm.alu(Alu::Cmp, width, size, SCRATCH);
            self.asm.jcc(Cond::B, label);
        }
        let kinds = std::iter::once((QUIET, None))
            .chain(bounds.iter().zip(labels).map(|((kind, _), label)| (*kind, Some(label))));
        for ((positive, negative), label) in kinds {
            if let Some(label) = label {
                self.asm.bind(label);
            }
            let of = |bit: u32| u64::from(classes >> bit & 1);
            if of(positive) == of(negative) {
                self.asm.mov_i(size, of(positive));
            } else {
                self.asm.mov(width, size, whole);
                self.asm.shift_i(Shift::Shr, width, size, bits as u8 - 1);
                if of(positive) == 1 {
                    self.asm.alu_i(Alu::Xor, Width::B4, size, 1);
                }
            }
            self.asm.jmp(done);
        }
        self.asm.bind(done);
        self.define(result, 0, size)
    }
}
