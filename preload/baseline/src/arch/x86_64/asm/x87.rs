//! x87 instructions, for `x86_fp80`.

use super::{Assembler, Map, Mem, Op};

/// Instructions of two bytes without operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) enum X87 {
    /// st1 = st1 + st0, pop
    Faddp = 0xdec1,
    /// st1 = st1 * st0, pop
    Fmulp = 0xdec9,
    /// st1 = st1 - st0, pop
    Fsubp = 0xdee9,
    /// st1 = st1 / st0, pop
    Fdivp = 0xdef9,
    Fxch = 0xd9c9,
    /// Flags of st0 and st1, pop
    Fucomip = 0xdfe9,
    /// pop without storing
    FstpSt0 = 0xddd8,
    Fchs = 0xd9e0,
    Fabs = 0xd9e1,
    Fsqrt = 0xd9fa,
    Fld1 = 0xd9e8,
    Fldz = 0xd9ee,
}

impl Assembler {
    /// See [`X87`].
    pub(crate) fn x87(&mut self, instruction: X87) {
        self.raw(&(instruction as u16).to_be_bytes());
    }

    /// Pushes a float of 4, 8 or 10 bytes.
    pub(crate) fn fld(&mut self, bytes: u32, mem: Mem) {
        let (opcode, digit) = match bytes {
            4 => (0xd9, 0),
            8 => (0xdd, 0),
            _ => (0xdb, 5),
        };
        self.op(Op::new(Map::One, opcode), digit, mem.into());
    }

    /// Pops into a float of 4, 8 or 10 bytes.
    pub(crate) fn fstp(&mut self, bytes: u32, mem: Mem) {
        let (opcode, digit) = match bytes {
            4 => (0xd9, 3),
            8 => (0xdd, 3),
            _ => (0xdb, 7),
        };
        self.op(Op::new(Map::One, opcode), digit, mem.into());
    }

    /// Pushes a signed integer of 2, 4 or 8 bytes.
    pub(crate) fn fild(&mut self, bytes: u32, mem: Mem) {
        let (opcode, digit) = match bytes {
            2 => (0xdf, 0),
            4 => (0xdb, 0),
            _ => (0xdf, 5),
        };
        self.op(Op::new(Map::One, opcode), digit, mem.into());
    }

    /// Pops into a signed integer of 2, 4 or 8 bytes, rounded as the control word says.
    pub(crate) fn fistp(&mut self, bytes: u32, mem: Mem) {
        let (opcode, digit) = match bytes {
            2 => (0xdf, 3),
            4 => (0xdb, 3),
            _ => (0xdf, 7),
        };
        self.op(Op::new(Map::One, opcode), digit, mem.into());
    }

    /// st0 += a float of 4 bytes
    pub(crate) fn fadd_m32(&mut self, mem: Mem) {
        self.op(Op::new(Map::One, 0xd8), 0, mem.into());
    }

    /// Stores the control word.
    pub(crate) fn fnstcw(&mut self, mem: Mem) {
        self.op(Op::new(Map::One, 0xd9), 7, mem.into());
    }

    /// Loads the control word.
    pub(crate) fn fldcw(&mut self, mem: Mem) {
        self.op(Op::new(Map::One, 0xd9), 5, mem.into());
    }
}
