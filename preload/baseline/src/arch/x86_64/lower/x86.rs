//! Intrinsics of the architecture: instructions that programs name, as compilers' headers for vectors have functions for them.
//! An instruction on vectors of 256 bits does in each half what that of 128 bits does.

use autojit_bitcode::Value;

use super::super::Compiler;
use super::super::asm::{Alu, Cond, Encoding, Map, Prefix, Shift, Width, Xmm};
use crate::parts::Bank;
use crate::refused::{Reason, Refused};

/// How an instruction takes its operands.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// It changes one operand by another.
    Two,
    /// The same, as a constant says.
    TwoBy,
    /// It makes something of one operand.
    One,
    /// The same, as a constant says.
    OneBy,
    /// It shifts the lanes of one operand by what the first half of another has.
    Shifts,
    /// The same by an integer.
    ShiftBy,
    /// It makes an integer of this many lanes' sign bits.
    Signs(u8),
    /// It makes an integer of a float.
    ToInt,
    /// It compares all bits; what the flags say then is a condition.
    Test(Cond),
}

use Form::{One, OneBy, ShiftBy, Shifts, Signs, Test, ToInt, Two, TwoBy};
use Map::{Three3a as M3a, Three38 as M38, Two as M};
use Prefix::{F2, F3, None as P0, P66};

/// Names without `llvm.x86.`, the register size that ends some of them, and what is in front (`sse2.`): the function's own features
/// say whether it may use the instruction.
#[rustfmt::skip]
const INSTRUCTIONS: [(&[u8], Form, Encoding); 91] = [
    (b"min.ps", Two, (P0, M, 0x5d)), (b"max.ps", Two, (P0, M, 0x5f)), (b"min.ss", Two, (F3, M, 0x5d)),
    (b"max.ss", Two, (F3, M, 0x5f)), (b"min.pd", Two, (P66, M, 0x5d)), (b"max.pd", Two, (P66, M, 0x5f)),
    (b"min.sd", Two, (F2, M, 0x5d)), (b"max.sd", Two, (F2, M, 0x5f)), (b"cmp.ps", TwoBy, (P0, M, 0xc2)),
    (b"cmp.ss", TwoBy, (F3, M, 0xc2)), (b"cmp.pd", TwoBy, (P66, M, 0xc2)), (b"cmp.sd", TwoBy, (F2, M, 0xc2)),
    (b"rcp.ps", One, (P0, M, 0x53)), (b"rcp.ss", One, (F3, M, 0x53)), (b"rsqrt.ps", One, (P0, M, 0x52)),
    (b"rsqrt.ss", One, (F3, M, 0x52)), (b"round.ps", OneBy, (P66, M3a, 0x08)),
    (b"round.pd", OneBy, (P66, M3a, 0x09)), (b"round.ss", TwoBy, (P66, M3a, 0x0a)),
    (b"round.sd", TwoBy, (P66, M3a, 0x0b)), (b"dpps", TwoBy, (P66, M3a, 0x40)),
    (b"dppd", TwoBy, (P66, M3a, 0x41)), (b"insertps", TwoBy, (P66, M3a, 0x21)),
    (b"cvtps2dq", One, (P66, M, 0x5b)), (b"cvttps2dq", One, (F3, M, 0x5b)), (b"cvtss2si", ToInt, (F3, M, 0x2d)),
    (b"cvttss2si", ToInt, (F3, M, 0x2c)), (b"cvtss2si64", ToInt, (F3, M, 0x2d)),
    (b"cvttss2si64", ToInt, (F3, M, 0x2c)), (b"cvtsd2si", ToInt, (F2, M, 0x2d)),
    (b"cvttsd2si", ToInt, (F2, M, 0x2c)), (b"cvtsd2si64", ToInt, (F2, M, 0x2d)),
    (b"cvttsd2si64", ToInt, (F2, M, 0x2c)), (b"movmsk.ps", Signs(4), (P0, M, 0x50)),
    (b"movmsk.pd", Signs(2), (P66, M, 0x50)), (b"pmovmskb", Signs(16), (P66, M, 0xd7)),
    (b"ptestz", Test(Cond::E), (P66, M38, 0x17)), (b"ptestc", Test(Cond::B), (P66, M38, 0x17)),
    (b"ptestnzc", Test(Cond::A), (P66, M38, 0x17)), (b"packsswb", Two, (P66, M, 0x63)),
    (b"packssdw", Two, (P66, M, 0x6b)), (b"packuswb", Two, (P66, M, 0x67)),
    (b"packusdw", Two, (P66, M38, 0x2b)), (b"pmadd.wd", Two, (P66, M, 0xf5)), (b"pmulh.w", Two, (P66, M, 0xe5)),
    (b"pmulhu.w", Two, (P66, M, 0xe4)), (b"psad.bw", Two, (P66, M, 0xf6)), (b"pavg.b", Two, (P66, M, 0xe0)),
    (b"pavg.w", Two, (P66, M, 0xe3)), (b"psll.w", Shifts, (P66, M, 0xf1)), (b"psll.d", Shifts, (P66, M, 0xf2)),
    (b"psll.q", Shifts, (P66, M, 0xf3)), (b"psrl.w", Shifts, (P66, M, 0xd1)),
    (b"psrl.d", Shifts, (P66, M, 0xd2)), (b"psrl.q", Shifts, (P66, M, 0xd3)),
    (b"psra.w", Shifts, (P66, M, 0xe1)), (b"psra.d", Shifts, (P66, M, 0xe2)),
    (b"pslli.w", ShiftBy, (P66, M, 0xf1)), (b"pslli.d", ShiftBy, (P66, M, 0xf2)),
    (b"pslli.q", ShiftBy, (P66, M, 0xf3)), (b"psrli.w", ShiftBy, (P66, M, 0xd1)),
    (b"psrli.d", ShiftBy, (P66, M, 0xd2)), (b"psrli.q", ShiftBy, (P66, M, 0xd3)),
    (b"psrai.w", ShiftBy, (P66, M, 0xe1)), (b"psrai.d", ShiftBy, (P66, M, 0xe2)),
    (b"pshuf.b", Two, (P66, M38, 0x00)), (b"phadd.w", Two, (P66, M38, 0x01)),
    (b"phadd.d", Two, (P66, M38, 0x02)), (b"phadd.sw", Two, (P66, M38, 0x03)),
    (b"pmadd.ub.sw", Two, (P66, M38, 0x04)), (b"phsub.w", Two, (P66, M38, 0x05)),
    (b"phsub.d", Two, (P66, M38, 0x06)), (b"phsub.sw", Two, (P66, M38, 0x07)),
    (b"psign.b", Two, (P66, M38, 0x08)), (b"psign.w", Two, (P66, M38, 0x09)),
    (b"psign.d", Two, (P66, M38, 0x0a)), (b"pmul.hr.sw", Two, (P66, M38, 0x0b)),
    (b"phminposuw", One, (P66, M38, 0x41)), (b"aesenc", Two, (P66, M38, 0xdc)),
    (b"aesenclast", Two, (P66, M38, 0xdd)), (b"aesdec", Two, (P66, M38, 0xde)),
    (b"aesdeclast", Two, (P66, M38, 0xdf)), (b"aesimc", One, (P66, M38, 0xdb)),
    (b"hadd.ps", Two, (F2, M, 0x7c)), (b"hadd.pd", Two, (P66, M, 0x7c)), (b"hsub.ps", Two, (F2, M, 0x7d)),
    (b"hsub.pd", Two, (P66, M, 0x7d)), (b"addsub.ps", Two, (F2, M, 0xd0)), (b"addsub.pd", Two, (P66, M, 0xd0)),
    (b"aeskeygenassist", OneBy, (P66, M3a, 0xdf)), (b"pclmulqdq", TwoBy, (P66, M3a, 0x44)),
];

/// Those without operands.
const PLAIN: [(&[u8], &[u8]); 4] = [
    (b"sse2.pause", &[0xf3, 0x90]),
    (b"sse2.lfence", &[0x0f, 0xae, 0xe8]),
    (b"sse2.mfence", &[0x0f, 0xae, 0xf0]),
    (b"sse.sfence", &[0x0f, 0xae, 0xf8]),
];

/// The instruction that an intrinsic stands for.
fn instruction(name: &[u8]) -> Option<(Form, Encoding)> {
    let name = name.strip_suffix(b".128").or_else(|| name.strip_suffix(b".256")).unwrap_or(name);
    let mut parts = name.splitn(2, |byte| *byte == b'.');
    let name = match (parts.next()?, parts.next()) {
        (b"sse" | b"sse2" | b"sse3" | b"ssse3" | b"sse41" | b"aesni" | b"avx" | b"avx2", Some(name)) => name,
        (b"pclmulqdq", None) => name,
        _ => return None,
    };
    INSTRUCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, form, encoding)| (*form, *encoding))
}

impl Compiler<'_> {
    /// Lowers an intrinsic of the architecture; `name` is without `llvm.x86.`. False: it is not known.
    pub(crate) fn lower_x86(
        &mut self,
        name: &[u8],
        result: Value,
        arguments: &[Value],
    ) -> Result<bool, Refused> {
        if let Some((_, bytes)) = PLAIN.iter().find(|(plain, _)| *plain == name) {
            self.asm.raw(bytes);
            return Ok(true);
        }
        match (name, arguments) {
            (b"sse42.crc32.32.8", &[crc, data]) => self.lower_crc32(Width::B1, result, crc, data)?,
            (b"sse42.crc32.32.32", &[crc, data]) => self.lower_crc32(Width::B4, result, crc, data)?,
            (b"sse42.crc32.64.64", &[crc, data]) => self.lower_crc32(Width::B8, result, crc, data)?,
            _ => {
                let Some((form, encoding)) = instruction(name) else { return Ok(false) };
                self.lower_instruction(form, encoding, result, arguments)?;
            }
        }
        Ok(true)
    }

    fn lower_crc32(&mut self, width: Width, result: Value, crc: Value, data: Value) -> Result<(), Refused> {
        self.force_all(&[crc, data])?;
        let data = self.gp(data, 0)?;
        let own = self.own_gp(crc, 0)?;
        self.asm.crc32(width, own, data);
        self.define(result, 0, own)
    }

    fn lower_instruction(
        &mut self,
        form: Form,
        encoding: Encoding,
        result: Value,
        arguments: &[Value],
    ) -> Result<(), Refused> {
        self.force_all(arguments)?;
        match (form, arguments) {
            (Two, &[left, right]) => self.lower_two(encoding, result, left, right, None),
            (TwoBy, &[left, right, by]) => {
                let by = self.constant_byte(by)?;
                // Only vector extensions have more comparisons than eight.
                if encoding.2 == 0xc2 && by > 7 {
                    return Err(Reason::Vector("comparison").into());
                }
                self.lower_two(encoding, result, left, right, Some(by))
            }
            (One, &[value]) => self.lower_one(encoding, result, value, None),
            (OneBy, &[value, by]) => {
                let by = self.constant_byte(by)?;
                self.lower_one(encoding, result, value, Some(by))
            }
            (Shifts, &[value, by]) => {
                let by = self.xmm(by, 0)?;
                self.lower_by(encoding, result, value, by)
            }
            (ShiftBy, &[value, by]) => {
                let (by, number) = (self.gp(by, 0)?, self.temporary_x()?);
                self.asm.mov_xg(Width::B4, number, by);
                self.lower_by(encoding, result, value, number)
            }
            (Signs(lanes), &[value]) => {
                let all = self.temporary_gp()?;
                // The highest lanes first.
                for part in (0..self.parts_of(value)?.len()).rev() {
                    let before = self.regs.in_use();
                    let from = self.xmm(value, part)?;
                    let reg =
                        if part + 1 == self.parts_of(value)?.len() { all } else { self.temporary_gp()? };
                    self.asm.encoded(encoding, false, reg.0, from.into(), None);
                    if reg != all {
                        self.asm.shift_i(Shift::Shl, Width::B4, all, lanes);
                        self.asm.alu(Alu::Or, Width::B4, all, reg);
                    }
                    self.regs.only_in_use(before);
                }
                self.define(result, 0, all)
            }
            (ToInt, &[value]) => {
                let (from, to) = (self.xmm(value, 0)?, self.temporary_gp()?);
                let wide = self.single(result)?.bits == 64;
                self.asm.encoded(encoding, wide, to.0, from.into(), None);
                self.define(result, 0, to)
            }
            (Test(cond), &[left, right]) if self.parts_of(left)?.len() == 1 => {
                let (left, right, flag) = (self.xmm(left, 0)?, self.xmm(right, 0)?, self.temporary_gp()?);
                self.asm.zero(flag);
                self.asm.encoded(encoding, false, left.0, right.into(), None);
                self.asm.setcc(cond, flag);
                self.define(result, 0, flag)
            }
            _ => Err(Reason::Vector("instruction").into()),
        }
    }

    /// Rounds each lane, as `mode` says (roundps, roundpd).
    pub(crate) fn round_lanes(&mut self, mode: u8, result: Value, value: Value) -> Result<(), Refused> {
        if self.parts_of(result)?.iter().any(|part| part.bank != Bank::Xmm) {
            return Err(Reason::Vector("rounding").into());
        }
        let opcode = if self.is_double(result)? { 0x09 } else { 0x08 };
        self.force(value)?;
        self.lower_one((P66, M3a, opcode), result, value, Some(mode))
    }

    /// Each part of one value by that of another.
    fn lower_two(
        &mut self,
        encoding: Encoding,
        result: Value,
        left: Value,
        right: Value,
        by: Option<u8>,
    ) -> Result<(), Refused> {
        for part in 0..self.parts_of(result)?.len() {
            let before = self.regs.in_use();
            let right = self.xmm(right, part)?;
            let own = self.own_x(left, part)?;
            self.asm.encoded(encoding, false, own.0, right.into(), by);
            self.define(result, part, own)?;
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// Each part of a value by the same register.
    fn lower_by(&mut self, encoding: Encoding, result: Value, value: Value, by: Xmm) -> Result<(), Refused> {
        for part in 0..self.parts_of(result)?.len() {
            let before = self.regs.in_use();
            let own = self.own_x(value, part)?;
            self.asm.encoded(encoding, false, own.0, by.into(), None);
            self.define(result, part, own)?;
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// Each part of a value; what an instruction on one lane leaves alone is the value's.
    fn lower_one(
        &mut self,
        encoding: Encoding,
        result: Value,
        value: Value,
        by: Option<u8>,
    ) -> Result<(), Refused> {
        for part in 0..self.parts_of(result)?.len() {
            let before = self.regs.in_use();
            let own = self.own_x(value, part)?;
            self.asm.encoded(encoding, false, own.0, own.into(), by);
            self.define(result, part, own)?;
            self.regs.only_in_use(before);
        }
        Ok(())
    }

    /// A constant that an instruction holds.
    fn constant_byte(&mut self, value: Value) -> Result<u8, Refused> {
        let bits = self.constant_bits(value)?;
        bits.map(|bits| bits as u8).ok_or(Reason::Vector("an instruction without its constant").into())
    }
}
