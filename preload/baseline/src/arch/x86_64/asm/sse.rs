//! SSE2 instructions, scalar and packed, and the few later ones that are used by feature.

use super::{Assembler, Base, Gp, Head, Map, Mem, Op, Rm, Width, Xmm};

/// The prefix that tells the forms of one opcode apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Prefix {
    /// Packed floats.
    None = 0,
    /// Packed doubles, and integers.
    P66 = 0x66,
    /// Scalar floats.
    F3 = 0xf3,
    /// Scalar doubles.
    F2 = 0xf2,
}

/// Opcodes behind 0f with a register destination; which prefixes they take is in the manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) enum Sse {
    Movu = 0x10,
    Unpcklp = 0x14,
    Movap = 0x28,
    Ucomi = 0x2e,
    Sqrt = 0x51,
    And = 0x54,
    Andn = 0x55,
    Or = 0x56,
    Xor = 0x57,
    Add = 0x58,
    Mul = 0x59,
    /// float -> double with no prefix or F3, double -> float with 66 or F2
    Cvt = 0x5a,
    /// i32 -> float packed, float -> i32 with 66, truncating with F3
    CvtInt = 0x5b,
    Sub = 0x5c,
    Min = 0x5d,
    Div = 0x5e,
    Max = 0x5f,
    Punpcklbw = 0x60,
    Punpcklwd = 0x61,
    Punpckldq = 0x62,
    Packsswb = 0x63,
    Pcmpgtb = 0x64,
    Pcmpgtw = 0x65,
    Pcmpgtd = 0x66,
    Packuswb = 0x67,
    Punpckhbw = 0x68,
    Punpckhwd = 0x69,
    Punpckhdq = 0x6a,
    Packssdw = 0x6b,
    Punpcklqdq = 0x6c,
    Punpckhqdq = 0x6d,
    /// movdqu with F3, movdqa with 66
    Movdq = 0x6f,
    Pcmpeqb = 0x74,
    Pcmpeqw = 0x75,
    Pcmpeqd = 0x76,
    Psrlw = 0xd1,
    Psrld = 0xd2,
    Psrlq = 0xd3,
    Paddq = 0xd4,
    Pmullw = 0xd5,
    Pminub = 0xda,
    Pand = 0xdb,
    Pmaxub = 0xde,
    Pandn = 0xdf,
    Psraw = 0xe1,
    Psrad = 0xe2,
    Pminsw = 0xea,
    Por = 0xeb,
    Pmaxsw = 0xee,
    Pxor = 0xef,
    Psllw = 0xf1,
    Pslld = 0xf2,
    Psllq = 0xf3,
    Pmuludq = 0xf4,
    Psubb = 0xf8,
    Psubw = 0xf9,
    Psubd = 0xfa,
    Psubq = 0xfb,
    Paddb = 0xfc,
    Paddw = 0xfd,
    Paddd = 0xfe,
}

/// What tells an instruction, as the manual writes it: prefix, map of opcodes, opcode.
pub(crate) type Encoding = (Prefix, Map, u8);

impl Assembler {
    /// An instruction with a register and an operand that may be one, both of the classes that it takes.
    pub(crate) fn encoded(&mut self, of: Encoding, wide: bool, reg: u8, rm: Rm, immediate: Option<u8>) {
        let (prefix, map, opcode) = of;
        let op = Op::new(map, opcode).prefixed(prefix as u8).wide(wide);
        self.op(op.immediate(immediate.is_some().into()), reg, rm);
        immediate.into_iter().for_each(|byte| self.byte(byte));
    }

    /// dst = dst op src, or dst = op src
    pub(crate) fn sse(&mut self, prefix: Prefix, sse: Sse, dst: Xmm, src: impl Into<Rm>) {
        self.op(Op::new(Map::Two, sse as u8).prefixed(prefix as u8), dst.0, src.into());
    }

    /// dst = src, all 16 bytes (movaps)
    pub(crate) fn mov_xx(&mut self, dst: Xmm, src: Xmm) {
        self.sse(Prefix::None, Sse::Movap, dst, src);
    }

    /// dst = 4, 8 or 16 bytes of memory (movss, movsd, movups), the rest zero
    pub(crate) fn load_x(&mut self, bytes: u32, dst: Xmm, src: Mem) {
        let prefix = Self::prefix_of(bytes);
        self.sse(prefix, Sse::Movu, dst, src);
    }

    /// Stores 4, 8 or 16 bytes (movss, movsd, movups).
    pub(crate) fn store_x(&mut self, bytes: u32, dst: Mem, src: Xmm) {
        let prefix = Self::prefix_of(bytes) as u8;
        self.op(Op::new(Map::Two, 0x11).prefixed(prefix), src.0, dst.into());
    }

    fn prefix_of(bytes: u32) -> Prefix {
        match bytes {
            4 => Prefix::F3,
            8 => Prefix::F2,
            _ => Prefix::None,
        }
    }

    /// dst = src, 32 or 64 bits, the rest zero (movd, movq)
    pub(crate) fn mov_xg(&mut self, width: Width, dst: Xmm, src: impl Into<Rm>) {
        self.op(Op::new(Map::Two, 0x6e).prefixed(0x66).wide(width == Width::B8), dst.0, src.into());
    }

    /// dst = the lowest 32 or 64 bits of src (movd, movq)
    pub(crate) fn mov_gx(&mut self, width: Width, dst: Gp, src: Xmm) {
        self.op(Op::new(Map::Two, 0x7e).prefixed(0x66).wide(width == Width::B8), src.0, dst.into());
    }

    /// dst = an integer of 32 or 64 bits as float or double
    pub(crate) fn cvt_from_int(&mut self, double: bool, width: Width, dst: Xmm, src: impl Into<Rm>) {
        let prefix = if double { 0xf2 } else { 0xf3 };
        self.op(Op::new(Map::Two, 0x2a).prefixed(prefix).wide(width == Width::B8), dst.0, src.into());
    }

    /// dst = a float or double truncated to an integer of 32 or 64 bits
    pub(crate) fn cvt_to_int(&mut self, double: bool, width: Width, dst: Gp, src: impl Into<Rm>) {
        let prefix = if double { 0xf2 } else { 0xf3 };
        self.op(Op::new(Map::Two, 0x2c).prefixed(prefix).wide(width == Width::B8), dst.0, src.into());
    }

    /// dst = mask of a comparison (cmpss, cmpsd, cmpps, cmppd); 0 eq, 1 lt, 2 le, 3 unordered, 4 to 7 their opposites
    pub(crate) fn cmp_x(&mut self, prefix: Prefix, dst: Xmm, src: impl Into<Rm>, predicate: u8) {
        self.op(Op::new(Map::Two, 0xc2).prefixed(prefix as u8).immediate(1), dst.0, src.into());
        self.byte(predicate);
    }

    /// dst = four 32-bit lanes of src in some order (pshufd)
    pub(crate) fn pshufd(&mut self, dst: Xmm, src: impl Into<Rm>, order: u8) {
        self.op(Op::new(Map::Two, 0x70).prefixed(0x66).immediate(1), dst.0, src.into());
        self.byte(order);
    }

    /// dst = the sign bits of the 16 bytes of src (pmovmskb)
    pub(crate) fn pmovmskb(&mut self, dst: Gp, src: Xmm) {
        self.op(Op::new(Map::Two, 0xd7).prefixed(0x66), dst.0, src.into());
    }

    /// Shifts all 16 bytes of dst by whole bytes (pslldq, psrldq).
    pub(crate) fn shift_bytes(&mut self, left: bool, dst: Xmm, bytes: u8) {
        let op = Op::new(Map::Two, 0x73).prefixed(0x66).immediate(1);
        self.op(op, if left { 7 } else { 3 }, dst.into());
        self.byte(bytes);
    }

    /// Lane `lane` of 16 bits of dst = src (pinsrw)
    pub(crate) fn pinsrw(&mut self, dst: Xmm, src: Gp, lane: u8) {
        self.op(Op::new(Map::Two, 0xc4).prefixed(0x66).immediate(1), dst.0, src.into());
        self.byte(lane);
    }

    /// Lane `lane` of 8, 32 or 64 bits of dst = src (pinsrb, pinsrd, pinsrq); with SSE4.1
    pub(crate) fn pinsr(&mut self, width: Width, dst: Xmm, src: Gp, lane: u8) {
        let opcode = if width == Width::B1 { 0x20 } else { 0x22 };
        let op = Op::new(Map::Three3a, opcode).prefixed(0x66).wide(width == Width::B8).immediate(1);
        self.op(op, dst.0, src.into());
        self.byte(lane);
    }

    /// dst = lane `lane` of 16 bits of src (pextrw)
    pub(crate) fn pextrw(&mut self, dst: Gp, src: Xmm, lane: u8) {
        self.op(Op::new(Map::Two, 0xc5).prefixed(0x66).immediate(1), dst.0, src.into());
        self.byte(lane);
    }

    /// dst = src rounded as `mode` says (roundss, roundsd); with SSE4.1
    pub(crate) fn round_x(&mut self, double: bool, dst: Xmm, src: impl Into<Rm>, mode: u8) {
        let opcode = if double { 0x0b } else { 0x0a };
        self.op(Op::new(Map::Three3a, opcode).prefixed(0x66).immediate(1), dst.0, src.into());
        self.byte(mode);
    }

    /// dst = dst * by + sum, rounded once (vfmadd213ss, sd, ps, pd); with FMA
    pub(crate) fn multiply_add(&mut self, double: bool, packed: bool, dst: Xmm, by: Xmm, sum: Xmm) {
        // VEX.66.0F38: R, X and B are inverted, as is the second source.
        let high = |reg: Xmm| !(reg.0 >> 3) & 1;
        self.raw(&[
            0xc4,
            high(dst) << 7 | 1 << 6 | high(sum) << 5 | 2,
            u8::from(double) << 7 | (!by.0 & 15) << 3 | 1,
            if packed { 0xa8 } else { 0xa9 },
            0xc0 | (dst.0 & 7) << 3 | sum.0 & 7,
        ]);
    }

    /// dst = the upper half of src, whose other name is ymm (vextractf128); with AVX
    pub(crate) fn extract_high(&mut self, dst: impl Into<Rm>, src: Xmm) {
        // No second source.
        self.halves(0x19, src, Xmm(0), dst.into());
    }

    /// The upper half of dst = src, the lower half stays (vinsertf128); with AVX
    pub(crate) fn insert_high(&mut self, dst: Xmm, src: impl Into<Rm>) {
        self.halves(0x18, dst, dst, src.into());
    }

    /// The upper halves of all registers = 0 (vzeroupper); with AVX
    pub(crate) fn zero_high(&mut self) {
        self.raw(&[0xc5, 0xf8, 0x77]);
    }

    /// VEX.256.66.0F3A.W0 with an immediate of 1: the upper half. R, X and B are inverted, as is the second source.
    fn halves(&mut self, opcode: u8, reg: Xmm, second: Xmm, rm: Rm) {
        let high = |number: u8| !(number >> 3) & 1;
        let (x, b) = match rm {
            Rm::Reg(rm) => (1, high(rm)),
            Rm::Mem(mem) => {
                let base = if let Base::Reg(base) = mem.base { base.0 } else { 0 };
                (mem.index.map_or(1, |(index, _)| high(index.0)), high(base))
            }
        };
        let mut head = Head::default();
        head.push(0xc4);
        head.push(high(reg.0) << 7 | x << 6 | b << 5 | 3);
        head.push((!second.0 & 15) << 3 | 1 << 2 | 1);
        head.push(opcode);
        match rm {
            Rm::Reg(rm) => {
                head.push(0xc0 | (reg.0 & 7) << 3 | rm & 7);
                self.put(head);
            }
            Rm::Mem(mem) => self.modrm(head, reg.0 & 7, mem, 1),
        }
        self.byte(1);
    }

    /// dst = bytes of dst chosen by src (pshufb); with SSSE3
    pub(crate) fn pshufb(&mut self, dst: Xmm, src: impl Into<Rm>) {
        self.op(Op::new(Map::Three38, 0x00).prefixed(0x66), dst.0, src.into());
    }
}
