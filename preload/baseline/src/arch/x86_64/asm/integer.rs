//! Integer instructions: moves, arithmetic, shifts, bit counting, and those for atomics.

use super::{Assembler, Cond, Gp, Map, Mem, Op, Rm, Width};

/// Operations with two operands whose encodings are alike; the number is the one in the opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) enum Alu {
    Add = 0,
    Or = 1,
    Adc = 2,
    Sbb = 3,
    And = 4,
    Sub = 5,
    Xor = 6,
    Cmp = 7,
}

/// Operations with one operand (f6, f7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) enum Unary {
    Not = 2,
    Neg = 3,
    /// rdx:rax = rax * operand
    Mul = 4,
    /// rdx:rax = rax * operand, signed
    Imul = 5,
    /// rax, rdx = rdx:rax / operand
    Div = 6,
    /// rax, rdx = rdx:rax / operand, signed
    Idiv = 7,
}

/// Shifts and rotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) enum Shift {
    Rol = 0,
    Ror = 1,
    Shl = 4,
    Shr = 5,
    Sar = 7,
}

/// Counting and searching bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) enum Bits {
    Bsf,
    Bsr,
    /// With the feature of that name.
    Popcnt,
    /// With the feature of that name.
    Lzcnt,
    /// With BMI.
    Tzcnt,
}

impl Assembler {
    /// dst = dst op src
    pub(crate) fn alu(&mut self, alu: Alu, width: Width, dst: Gp, src: impl Into<Rm>) {
        self.op(Op::sized(Map::One, (alu as u8) << 3 | 2, width), dst.0, src.into());
    }

    /// dst = dst op src, in memory
    pub(crate) fn alu_mr(&mut self, alu: Alu, width: Width, dst: Mem, src: Gp) {
        self.op(Op::sized(Map::One, (alu as u8) << 3, width), src.0, dst.into());
    }

    /// dst = dst op imm; the immediate is sign-extended from 32 bits.
    pub(crate) fn alu_i(&mut self, alu: Alu, width: Width, dst: impl Into<Rm>, imm: i32) {
        let dst = dst.into();
        let digit = alu as u8;
        if width == Width::B1 {
            self.op(Op::sized(Map::One, 0x80, width).immediate(1), digit, dst);
            self.byte(imm as u8);
        } else if i8::try_from(imm).is_ok() {
            self.op(Op::wider(Map::One, 0x83, width).immediate(1), digit, dst);
            self.byte(imm as u8);
        } else {
            let bytes = if width == Width::B2 { 2 } else { 4 };
            self.op(Op::wider(Map::One, 0x81, width).immediate(bytes), digit, dst);
            self.imm(width, imm);
        }
    }

    /// Flags of a & b
    pub(crate) fn test(&mut self, width: Width, a: impl Into<Rm>, b: Gp) {
        self.op(Op::sized(Map::One, 0x84, width), b.0, a.into());
    }

    /// Flags of a & imm
    pub(crate) fn test_i(&mut self, width: Width, a: impl Into<Rm>, imm: i32) {
        let bytes = width.bytes().min(4) as u8;
        self.op(Op::sized(Map::One, 0xf6, width).immediate(bytes), 0, a.into());
        self.imm(width, imm);
    }

    /// dst = src; with 8 and 16 bits the rest of dst stays.
    pub(crate) fn mov(&mut self, width: Width, dst: Gp, src: impl Into<Rm>) {
        self.op(Op::sized(Map::One, 0x8a, width), dst.0, src.into());
    }

    /// Stores src.
    pub(crate) fn mov_mr(&mut self, width: Width, dst: Mem, src: Gp) {
        self.op(Op::sized(Map::One, 0x88, width), src.0, dst.into());
    }

    /// Stores an immediate, sign-extended from 32 bits.
    pub(crate) fn mov_mi(&mut self, width: Width, dst: Mem, imm: i32) {
        let bytes = width.bytes().min(4) as u8;
        self.op(Op::sized(Map::One, 0xc6, width).immediate(bytes), 0, dst.into());
        self.imm(width, imm);
    }

    /// dst = imm, all 64 bits, in the shortest form that leaves the flags alone.
    pub(crate) fn mov_i(&mut self, dst: Gp, imm: u64) {
        if let Ok(imm) = u32::try_from(imm) {
            if dst.0 >= 8 {
                self.byte(0x41);
            }
            self.byte(0xb8 | dst.0 & 7);
            self.raw(&imm.to_le_bytes());
        } else if let Ok(imm) = i32::try_from(imm as i64) {
            self.op(Op::wider(Map::One, 0xc7, Width::B8).immediate(4), 0, dst.into());
            self.imm32(imm);
        } else {
            self.mov_i64(dst, imm);
        }
    }

    /// dst = imm, in the longest form.
    pub(crate) fn mov_i64(&mut self, dst: Gp, imm: u64) {
        self.byte(0x48 | dst.0 >> 3);
        self.byte(0xb8 | dst.0 & 7);
        self.raw(&imm.to_le_bytes());
    }

    /// dst = 0; changes the flags.
    pub(crate) fn zero(&mut self, dst: Gp) {
        self.alu(Alu::Xor, Width::B4, dst, dst);
    }

    /// dst = src zero-extended from `from` to 64 bits
    pub(crate) fn movzx(&mut self, from: Width, dst: Gp, src: impl Into<Rm>) {
        match from {
            Width::B4 | Width::B8 => self.mov(from, dst, src),
            Width::B1 | Width::B2 => {
                let mut op = Op::new(Map::Two, if from == Width::B1 { 0xb6 } else { 0xb7 });
                op.byte_rm = from == Width::B1;
                self.op(op, dst.0, src.into());
            }
        }
    }

    /// dst = src sign-extended from `from` to `to`, which is at least 32 bits
    pub(crate) fn movsx(&mut self, to: Width, from: Width, dst: Gp, src: impl Into<Rm>) {
        let mut op = match from {
            _ if from >= to => return self.mov(to, dst, src),
            Width::B1 => Op::new(Map::Two, 0xbe),
            Width::B2 => Op::new(Map::Two, 0xbf),
            Width::B4 | Width::B8 => Op::new(Map::One, 0x63),
        };
        op.byte_rm = from == Width::B1;
        self.op(op.wide(to == Width::B8), dst.0, src.into());
    }

    /// dst = address of mem
    pub(crate) fn lea(&mut self, dst: Gp, mem: Mem) {
        self.op(Op::wider(Map::One, 0x8d, Width::B8), dst.0, mem.into());
    }

    /// dst = dst shifted by imm
    pub(crate) fn shift_i(&mut self, shift: Shift, width: Width, dst: impl Into<Rm>, imm: u8) {
        if imm == 1 {
            self.op(Op::sized(Map::One, 0xd0, width), shift as u8, dst.into());
        } else {
            self.op(Op::sized(Map::One, 0xc0, width).immediate(1), shift as u8, dst.into());
            self.byte(imm);
        }
    }

    /// dst = dst shifted by cl
    pub(crate) fn shift_cl(&mut self, shift: Shift, width: Width, dst: impl Into<Rm>) {
        self.op(Op::sized(Map::One, 0xd2, width), shift as u8, dst.into());
    }

    /// dst = dst << imm with the upper bits of src (`left`), or >> with the lower ones
    pub(crate) fn double_shift_i(&mut self, left: bool, width: Width, dst: Gp, src: Gp, imm: u8) {
        let opcode = if left { 0xa4 } else { 0xac };
        self.op(Op::wider(Map::Two, opcode, width).immediate(1), src.0, dst.into());
        self.byte(imm);
    }

    /// The same by cl
    pub(crate) fn double_shift_cl(&mut self, left: bool, width: Width, dst: Gp, src: Gp) {
        self.op(Op::wider(Map::Two, if left { 0xa5 } else { 0xad }, width), src.0, dst.into());
    }

    /// operand = operand - 1; the carry stays
    pub(crate) fn dec(&mut self, width: Width, operand: impl Into<Rm>) {
        self.op(Op::sized(Map::One, 0xfe, width), 1, operand.into());
    }

    /// See [`Unary`].
    pub(crate) fn unary(&mut self, unary: Unary, width: Width, operand: impl Into<Rm>) {
        self.op(Op::sized(Map::One, 0xf6, width), unary as u8, operand.into());
    }

    /// dst = dst * src; 16 bits and more
    pub(crate) fn imul(&mut self, width: Width, dst: Gp, src: impl Into<Rm>) {
        self.op(Op::wider(Map::Two, 0xaf, width), dst.0, src.into());
    }

    /// dst = src * imm; 16 bits and more
    pub(crate) fn imul_i(&mut self, width: Width, dst: Gp, src: impl Into<Rm>, imm: i32) {
        if i8::try_from(imm).is_ok() {
            self.op(Op::wider(Map::One, 0x6b, width).immediate(1), dst.0, src.into());
            self.byte(imm as u8);
        } else {
            let bytes = if width == Width::B2 { 2 } else { 4 };
            self.op(Op::wider(Map::One, 0x69, width).immediate(bytes), dst.0, src.into());
            self.imm(width, imm);
        }
    }

    /// rdx = sign of rax (cwd, cdq, cqo)
    pub(crate) fn sign_into_rdx(&mut self, width: Width) {
        match width {
            Width::B1 | Width::B2 => self.raw(&[0x66, 0x99]),
            Width::B4 => self.byte(0x99),
            Width::B8 => self.raw(&[0x48, 0x99]),
        }
    }

    /// dst = 1 if the condition holds, else 0; 8 bits
    pub(crate) fn setcc(&mut self, cond: Cond, dst: Gp) {
        let mut op = Op::new(Map::Two, 0x90 | cond as u8);
        op.byte_rm = true;
        self.op(op, 0, dst.into());
    }

    /// dst = src if the condition holds; 16 bits and more
    pub(crate) fn cmov(&mut self, cond: Cond, width: Width, dst: Gp, src: impl Into<Rm>) {
        self.op(Op::wider(Map::Two, 0x40 | cond as u8, width), dst.0, src.into());
    }

    /// See [`Bits`]; 16 bits and more.
    pub(crate) fn bits(&mut self, bits: Bits, width: Width, dst: Gp, src: impl Into<Rm>) {
        let (feature, opcode) = match bits {
            Bits::Bsf => (false, 0xbc),
            Bits::Bsr => (false, 0xbd),
            Bits::Popcnt => (true, 0xb8),
            Bits::Lzcnt => (true, 0xbd),
            Bits::Tzcnt => (true, 0xbc),
        };
        let op = Op::wider(Map::Two, opcode, width);
        if feature && op.prefix != 0 {
            self.byte(op.prefix);
        }
        self.op(if feature { op.prefixed(0xf3) } else { op }, dst.0, src.into());
    }

    /// Reverses the bytes of dst; 32 or 64 bits.
    pub(crate) fn bswap(&mut self, width: Width, dst: Gp) {
        let rex = u8::from(width == Width::B8) << 3 | dst.0 >> 3;
        if rex != 0 {
            self.byte(0x40 | rex);
        }
        self.raw(&[0x0f, 0xc8 | dst.0 & 7]);
    }

    /// Flags: C = bit `bit` of src
    pub(crate) fn bt_i(&mut self, width: Width, src: Gp, bit: u8) {
        self.op(Op::wider(Map::Two, 0xba, width).immediate(1), 4, src.into());
        self.byte(bit);
    }

    /// Swaps reg and mem; locked by itself.
    pub(crate) fn xchg(&mut self, width: Width, mem: Mem, reg: Gp) {
        self.op(Op::sized(Map::One, 0x86, width), reg.0, mem.into());
    }

    /// Swaps two registers, all 64 bits.
    pub(crate) fn xchg_rr(&mut self, a: Gp, b: Gp) {
        self.op(Op::sized(Map::One, 0x86, Width::B8), a.0, b.into());
    }

    /// lock xadd: mem += reg, reg = the value before
    pub(crate) fn lock_xadd(&mut self, width: Width, mem: Mem, reg: Gp) {
        self.byte(0xf0);
        self.op(Op::sized(Map::Two, 0xc0, width), reg.0, mem.into());
    }

    /// lock op mem, reg
    pub(crate) fn lock_alu_mr(&mut self, alu: Alu, width: Width, mem: Mem, reg: Gp) {
        self.byte(0xf0);
        self.alu_mr(alu, width, mem, reg);
    }

    /// lock cmpxchg: if mem == rax { mem = reg; Z } else { rax = mem }
    pub(crate) fn lock_cmpxchg(&mut self, width: Width, mem: Mem, reg: Gp) {
        self.byte(0xf0);
        self.op(Op::sized(Map::Two, 0xb0, width), reg.0, mem.into());
    }

    /// lock cmpxchg16b: if mem == rdx:rax { mem = rcx:rbx; Z } else { rdx:rax = mem }
    pub(crate) fn lock_cmpxchg16b(&mut self, mem: Mem) {
        self.byte(0xf0);
        self.op(Op::wider(Map::Two, 0xc7, Width::B8), 1, mem.into());
    }

    /// mfence
    pub(crate) fn mfence(&mut self) {
        self.raw(&[0x0f, 0xae, 0xf0]);
    }

    /// rep movsq / movsb: rcx units from rsi to rdi
    pub(crate) fn rep_movs(&mut self, quads: bool) {
        self.byte(0xf3);
        if quads {
            self.byte(0x48);
        }
        self.byte(if quads { 0xa5 } else { 0xa4 });
    }

    /// rep stosb: rcx times al to rdi
    pub(crate) fn rep_stosb(&mut self) {
        self.raw(&[0xf3, 0xaa]);
    }

    /// dst = the CRC-32C of 8, 32 or 64 bits of src behind what dst is of (crc32); with SSE4.2
    pub(crate) fn crc32(&mut self, width: Width, dst: Gp, src: Gp) {
        let byte = width == Width::B1;
        let mut op = Op::new(Map::Three38, if byte { 0xf0 } else { 0xf1 }).prefixed(0xf2);
        op = op.wide(width == Width::B8);
        op.byte_rm = byte;
        self.op(op, dst.0, src.into());
    }
}
