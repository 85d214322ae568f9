//! Instructions that change rip or rsp.

use super::{Assembler, Base, Cond, Gp, Label, Map, Op, Rm};
use crate::code::{RelocationKind, RelocationTarget};

impl Assembler {
    /// jmp to a label
    pub(crate) fn jmp(&mut self, label: Label) {
        if let Some(short) = self.short(label) {
            self.raw(&[0xeb, short]);
        } else {
            self.byte(0xe9);
            self.distance(label, 0);
        }
    }

    /// jcc to a label
    pub(crate) fn jcc(&mut self, cond: Cond, label: Label) {
        if let Some(short) = self.short(label) {
            self.raw(&[0x70 | cond as u8, short]);
        } else {
            self.raw(&[0x0f, 0x80 | cond as u8]);
            self.distance(label, 0);
        }
    }

    /// The operand of a branch of two bytes to a bound label, if it reaches.
    fn short(&self, label: Label) -> Option<u8> {
        let distance = i64::from(self.offset_of(label)?) - i64::from(self.offset()) - 2;
        i8::try_from(distance).ok().map(|distance| distance as u8)
    }

    /// jmp to an address
    pub(crate) fn jmp_rm(&mut self, to: impl Into<Rm>) {
        self.op(Op::new(Map::One, 0xff), 4, to.into());
    }

    /// jmp to a function, aligned like calls
    pub(crate) fn jmp_symbol(&mut self, target: RelocationTarget) {
        self.align_operand();
        self.byte(0xe9);
        self.relocate(RelocationKind::Call, target, -4);
    }

    /// call of an address
    pub(crate) fn call_rm(&mut self, to: impl Into<Rm>) {
        let to = to.into();
        debug_assert!(!matches!(to, Rm::Mem(mem) if matches!(mem.base, Base::Label(_))));
        self.op(Op::new(Map::One, 0xff), 2, to);
    }

    /// call of a function; its operand lies within one aligned word of 8 bytes, so that it can be rewritten while the code
    /// runs
    pub(crate) fn call_symbol(&mut self, target: RelocationTarget) {
        self.align_operand();
        self.byte(0xe8);
        self.relocate(RelocationKind::Call, target, -4);
    }

    fn align_operand(&mut self) {
        let operand = (self.offset() + 1) % 8;
        if operand > 4 {
            self.nop(8 - operand);
        }
    }

    /// nop of 1 to 7 bytes; none for 0
    pub(crate) fn nop(&mut self, bytes: u32) {
        let nop: &[u8] = match bytes {
            0 => &[],
            1 => &[0x90],
            2 => &[0x66, 0x90],
            3 => &[0x0f, 0x1f, 0x00],
            4 => &[0x0f, 0x1f, 0x40, 0x00],
            5 => &[0x0f, 0x1f, 0x44, 0x00, 0x00],
            6 => &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
            _ => &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
        };
        self.raw(nop);
    }

    /// ret
    pub(crate) fn ret(&mut self) {
        self.byte(0xc3);
    }

    /// leave: rsp = rbp, pop rbp
    pub(crate) fn leave(&mut self) {
        self.byte(0xc9);
    }

    /// push
    pub(crate) fn push(&mut self, reg: Gp) {
        if reg.0 >= 8 {
            self.byte(0x41);
        }
        self.byte(0x50 | reg.0 & 7);
    }

    /// pop
    pub(crate) fn pop(&mut self, reg: Gp) {
        if reg.0 >= 8 {
            self.byte(0x41);
        }
        self.byte(0x58 | reg.0 & 7);
    }

    /// ud2
    pub(crate) fn ud2(&mut self) {
        self.raw(&[0x0f, 0x0b]);
    }

    /// int3
    pub(crate) fn int3(&mut self) {
        self.byte(0xcc);
    }
}
