//! The assembler: one function per instruction form, bytes written directly. Receives registers and operands, hands on
//! bytes, relocations and bound labels. Knows nothing of values or of the frame.
//!
//! Branches to labels that are bound already take the short form where it reaches; others have 32 bits.

mod control;
mod integer;
mod operand;
mod sse;
#[cfg(test)]
mod tests;
mod x87;

pub(crate) use integer::{Alu, Bits, Shift, Unary};
pub(crate) use operand::{Base, Cond, Gp, Label, Mem, Rm, Width, Xmm, gp};
pub(crate) use sse::{Encoding, Prefix, Sse};
pub(crate) use x87::X87;

use crate::code::{Relocation, RelocationKind, RelocationTarget};

const UNBOUND: u32 = u32::MAX;

/// A 32-bit field that holds the distance from its end to a label.
#[derive(Clone, Copy, Debug)]
struct Fixup {
    at: u32,
    /// Bytes of the instruction behind the field, less what is added to the label.
    behind: i32,
    label: Label,
}

/// Bytes, and what is open in them.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    bytes: Vec<u8>,
    labels: Vec<u32>,
    fixups: Vec<Fixup>,
    relocations: Vec<Relocation>,
}

/// The opcode maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Map {
    /// One byte.
    One,
    /// 0f
    Two,
    /// 0f 38
    Three38,
    /// 0f 3a
    Three3a,
}

/// What an instruction looks like in front of its operands.
#[derive(Clone, Copy, Debug)]
struct Op {
    /// 66, f2, f3 or 0 for none.
    prefix: u8,
    map: Map,
    opcode: u8,
    /// REX.W
    wide: bool,
    /// The register in `reg` is a byte register.
    byte_reg: bool,
    /// The register in `rm` is a byte register.
    byte_rm: bool,
    /// Bytes of immediate operands.
    immediate: u8,
}

/// Up to eight bytes: prefixes, REX, opcode of three, ModRM, SIB and a short displacement.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    bytes: u64,
    len: u32,
}

impl Head {
    fn push(&mut self, byte: u8) {
        self.bytes |= u64::from(byte) << (8 * self.len);
        self.len += 1;
    }
}

impl Op {
    const fn new(map: Map, opcode: u8) -> Self {
        Self { prefix: 0, map, opcode, wide: false, byte_reg: false, byte_rm: false, immediate: 0 }
    }

    /// For an integer operation of some width whose opcode's lowest bit says whether it is wider than a byte.
    const fn sized(map: Map, opcode: u8, width: Width) -> Self {
        let byte = matches!(width, Width::B1);
        Self {
            prefix: if matches!(width, Width::B2) { 0x66 } else { 0 },
            map,
            opcode: if byte { opcode } else { opcode | 1 },
            wide: matches!(width, Width::B8),
            byte_reg: byte,
            byte_rm: byte,
            immediate: 0,
        }
    }

    /// The same for opcodes that exist for 16 bits and more.
    const fn wider(map: Map, opcode: u8, width: Width) -> Self {
        let mut op = Self::new(map, opcode);
        op.prefix = if matches!(width, Width::B2) { 0x66 } else { 0 };
        op.wide = matches!(width, Width::B8);
        op
    }

    const fn immediate(mut self, bytes: u8) -> Self {
        self.immediate = bytes;
        self
    }

    const fn prefixed(mut self, prefix: u8) -> Self {
        self.prefix = prefix;
        self
    }

    const fn wide(mut self, wide: bool) -> Self {
        self.wide = wide;
        self
    }
}

impl Assembler {
    /// Begins a function, with room for what so many instructions of the bitcode in so many blocks become most often.
    pub(crate) fn begin(&mut self, instructions: usize, blocks: usize) {
        self.bytes.clear();
        self.labels.clear();
        self.fixups.clear();
        self.bytes.reserve(64 + instructions * 5);
        self.labels.reserve(8 + blocks * 2);
        self.fixups.reserve(8 + blocks * 2);
        self.relocations = Vec::with_capacity(8 + instructions / 16);
    }

    /// Where the next byte comes to lie.
    pub(crate) fn offset(&self) -> u32 {
        self.bytes.len() as u32
    }

    /// A label that is not bound yet.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(UNBOUND);
        Label(self.labels.len() as u32 - 1)
    }

    /// Binds `label` to the next byte.
    pub(crate) fn bind(&mut self, label: Label) {
        let here = self.offset();
        if let Some(offset) = self.labels.get_mut(label.0 as usize) {
            *offset = here;
        }
    }

    /// Where `label` is bound.
    pub(crate) fn offset_of(&self, label: Label) -> Option<u32> {
        self.labels.get(label.0 as usize).copied().filter(|offset| *offset != UNBOUND)
    }

    /// A label that is bound to a offset.
    pub(crate) fn label_at(&mut self, offset: u32) -> Label {
        self.labels.push(offset);
        Label(self.labels.len() as u32 - 1)
    }

    /// Adds relocations of bytes that come to lie at `start`.
    pub(crate) fn adopt(&mut self, relocations: Vec<Relocation>, start: u32) {
        let moved = |it: Relocation| Relocation { offset: it.offset + start, ..it };
        self.relocations.extend(relocations.into_iter().map(moved));
    }

    /// Writes plain bytes.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Overwrites bytes that were written before.
    pub(crate) fn patch(&mut self, at: u32, bytes: &[u8]) {
        if let Some(field) = self.bytes.get_mut(at as usize..at as usize + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    }

    /// Fills in all distances to labels. None if one was never bound; the relocations otherwise.
    pub(crate) fn finish(&mut self) -> Option<Vec<Relocation>> {
        let mut fixups = std::mem::take(&mut self.fixups);
        for Fixup { at, behind, label } in fixups.drain(..) {
            let offset = self.offset_of(label)?;
            let distance = i64::from(offset) - i64::from(at) - 4 - i64::from(behind);
            self.patch(at, &i32::try_from(distance).ok()?.to_le_bytes());
        }
        self.fixups = fixups;
        Some(std::mem::take(&mut self.relocations))
    }

    /// What was written.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    fn imm32(&mut self, value: i32) {
        self.raw(&value.to_le_bytes());
    }

    /// An immediate as wide as the operation, 32 bits at most.
    fn imm(&mut self, width: Width, value: i32) {
        match width {
            Width::B1 => self.byte(value as u8),
            Width::B2 => self.raw(&(value as i16).to_le_bytes()),
            Width::B4 | Width::B8 => self.imm32(value),
        }
    }

    fn relocate(&mut self, kind: RelocationKind, target: RelocationTarget, addend: i64) {
        let offset = self.offset();
        self.relocations.push(Relocation { offset, kind, target, addend });
        self.imm32(0);
    }

    fn distance(&mut self, label: Label, behind: i32) {
        self.fixups.push(Fixup { at: self.offset(), behind, label });
        self.imm32(0);
    }

    /// Writes the bytes of an instruction's beginning: all at once, which is cheaper than one after the other.
    fn put(&mut self, head: Head) {
        let end = self.bytes.len() + head.len as usize;
        self.bytes.extend_from_slice(&head.bytes.to_le_bytes());
        self.bytes.truncate(end);
    }

    /// Prefixes, opcode and operands; immediates are the caller's.
    fn op(&mut self, op: Op, reg: u8, rm: Rm) {
        let mut head = Head::default();
        if op.prefix != 0 {
            head.push(op.prefix);
        }
        // REX: 0100WRXB
        let mut rex = u8::from(op.wide) << 3 | (reg >> 3 & 1) << 2;
        let mut forced = op.byte_reg && (4..8).contains(&reg);
        match rm {
            Rm::Reg(rm) => {
                rex |= rm >> 3 & 1;
                forced |= op.byte_rm && (4..8).contains(&rm);
            }
            Rm::Mem(mem) => {
                if let Base::Reg(base) = mem.base {
                    rex |= base.0 >> 3 & 1;
                }
                if let Some((index, _)) = mem.index {
                    rex |= (index.0 >> 3 & 1) << 1;
                }
            }
        }
        if rex != 0 || forced {
            head.push(0x40 | rex);
        }
        match op.map {
            Map::One => {}
            Map::Two => head.push(0x0f),
            Map::Three38 => {
                head.push(0x0f);
                head.push(0x38);
            }
            Map::Three3a => {
                head.push(0x0f);
                head.push(0x3a);
            }
        }
        head.push(op.opcode);
        match rm {
            Rm::Reg(rm) => {
                head.push(0xc0 | (reg & 7) << 3 | rm & 7);
                self.put(head);
            }
            Rm::Mem(mem) => self.modrm(head, reg & 7, mem, op.immediate),
        }
    }

    /// What comes before a memory operand, and ModRM, SIB and displacement of it, with `behind` bytes of immediates behind.
    fn modrm(&mut self, mut head: Head, reg: u8, mem: Mem, behind: u8) {
        let reg = reg << 3;
        match (mem.base, mem.index) {
            (Base::Symbol(kind, target), _) => {
                head.push(reg | 5);
                self.put(head);
                // The distance counts from the end of the instruction.
                let addend = i64::from(mem.disp) - 4 - i64::from(behind);
                self.relocate(kind, target, addend);
            }
            (Base::Label(label), _) => {
                head.push(reg | 5);
                self.put(head);
                self.distance(label, i32::from(behind) - mem.disp);
            }
            (Base::None, None) => {
                head.push(reg | 4);
                head.push(0x25);
                self.put(head);
                self.imm32(mem.disp);
            }
            (Base::None, Some((index, scale))) => {
                head.push(reg | 4);
                head.push(scale << 6 | (index.0 & 7) << 3 | 5);
                self.put(head);
                self.imm32(mem.disp);
            }
            (Base::Reg(base), index) => {
                // rbp and r13 have no form without a displacement, rsp and r12 none without SIB.
                let (mode, short) = match mem.disp {
                    0 if base.0 & 7 != 5 => (0x00, true),
                    -128..=127 => (0x40, true),
                    _ => (0x80, false),
                };
                match index {
                    Some((index, scale)) => {
                        head.push(mode | reg | 4);
                        head.push(scale << 6 | (index.0 & 7) << 3 | base.0 & 7);
                    }
                    None if base.0 & 7 == 4 => {
                        head.push(mode | reg | 4);
                        head.push(0x24);
                    }
                    None => head.push(mode | reg | base.0 & 7),
                }
                if mode == 0x40 {
                    head.push(mem.disp as u8);
                }
                self.put(head);
                if !short {
                    self.imm32(mem.disp);
                }
            }
        }
    }
}
