//! Registers, memory operands, widths and conditions: the operands of the assembler's instructions.

use crate::code::{RelocationKind, RelocationTarget};

/// A general-purpose register, by its number in the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gp(pub u8);

/// A vector register, by its number in the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Xmm(pub u8);

/// The general-purpose registers.
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) mod gp {
    use super::Gp;
    pub(crate) const RAX: Gp = Gp(0);
    pub(crate) const RCX: Gp = Gp(1);
    pub(crate) const RDX: Gp = Gp(2);
    pub(crate) const RBX: Gp = Gp(3);
    pub(crate) const RSP: Gp = Gp(4);
    pub(crate) const RBP: Gp = Gp(5);
    pub(crate) const RSI: Gp = Gp(6);
    pub(crate) const RDI: Gp = Gp(7);
    pub(crate) const R8: Gp = Gp(8);
    pub(crate) const R9: Gp = Gp(9);
    pub(crate) const R10: Gp = Gp(10);
    pub(crate) const R11: Gp = Gp(11);
    pub(crate) const R12: Gp = Gp(12);
    pub(crate) const R13: Gp = Gp(13);
    pub(crate) const R14: Gp = Gp(14);
    pub(crate) const R15: Gp = Gp(15);
}

/// The size of an integer operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    /// 8 bits.
    B1,
    /// 16 bits.
    B2,
    /// 32 bits; the upper half of a destination register becomes zero.
    B4,
    /// 64 bits.
    B8,
}

impl Width {
    /// The narrowest width that holds `bits`, 64 at most.
    pub(crate) fn of_bits(bits: u32) -> Self {
        match bits {
            0..=8 => Self::B1,
            9..=16 => Self::B2,
            17..=32 => Self::B4,
            _ => Self::B8,
        }
    }

    /// The number of bits.
    pub(crate) fn bits(self) -> u32 {
        self.bytes() * 8
    }

    /// The number of bytes.
    pub(crate) fn bytes(self) -> u32 {
        match self {
            Self::B1 => 1,
            Self::B2 => 2,
            Self::B4 => 4,
            Self::B8 => 8,
        }
    }

    /// The width for arithmetic in registers, where 8 and 16 bits have no advantage.
    pub(crate) fn at_least_32(self) -> Self {
        self.max(Self::B4)
    }
}

/// What a memory operand starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Base {
    /// Nothing: an absolute address of 32 bits, sign-extended.
    None,
    /// A register.
    Reg(Gp),
    /// rip, with a relocation for the displacement. Excludes an index.
    Symbol(RelocationKind, RelocationTarget),
    /// rip, with the distance to a label. Excludes an index.
    Label(Label),
}

/// A position in the code, bound or not yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(pub u32);

/// A memory operand: base + index * scale + displacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mem {
    /// The base.
    pub base: Base,
    /// The index, any register but rsp, and the logarithm of the scale.
    pub index: Option<(Gp, u8)>,
    /// The displacement.
    pub disp: i32,
}

impl Mem {
    /// base + disp
    pub(crate) fn at(base: Gp, disp: i32) -> Self {
        Self { base: Base::Reg(base), index: None, disp }
    }

    /// A symbol, relative to rip.
    pub(crate) fn symbol(kind: RelocationKind, target: RelocationTarget, disp: i32) -> Self {
        Self { base: Base::Symbol(kind, target), index: None, disp }
    }

    /// The same with another displacement added; None if that leaves 32 bits.
    pub(crate) fn plus(self, by: i32) -> Option<Self> {
        Some(Self { disp: self.disp.checked_add(by)?, ..self })
    }
}

/// A register or memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rm {
    /// A register of the class that the instruction takes.
    Reg(u8),
    /// Memory.
    Mem(Mem),
}

impl From<Gp> for Rm {
    fn from(reg: Gp) -> Self {
        Self::Reg(reg.0)
    }
}

impl From<Xmm> for Rm {
    fn from(reg: Xmm) -> Self {
        Self::Reg(reg.0)
    }
}

impl From<Mem> for Rm {
    fn from(mem: Mem) -> Self {
        Self::Mem(mem)
    }
}

/// A condition of the flags, by its number in the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the names are the architecture's")]
pub(crate) enum Cond {
    O = 0,
    No = 1,
    B = 2,
    Ae = 3,
    E = 4,
    Ne = 5,
    Be = 6,
    A = 7,
    S = 8,
    Ns = 9,
    P = 10,
    Np = 11,
    L = 12,
    Ge = 13,
    Le = 14,
    G = 15,
}

impl Cond {
    const ALL: [Self; 16] = [
        Self::O,
        Self::No,
        Self::B,
        Self::Ae,
        Self::E,
        Self::Ne,
        Self::Be,
        Self::A,
        Self::S,
        Self::Ns,
        Self::P,
        Self::Np,
        Self::L,
        Self::Ge,
        Self::Le,
        Self::G,
    ];

    /// The opposite.
    pub(crate) fn not(self) -> Self {
        Self::ALL[(self as usize ^ 1) & 15]
    }

    /// The condition after the operands of the comparison changed places.
    pub(crate) fn swapped(self) -> Self {
        match self {
            Self::B => Self::A,
            Self::A => Self::B,
            Self::Ae => Self::Be,
            Self::Be => Self::Ae,
            Self::L => Self::G,
            Self::G => Self::L,
            Self::Ge => Self::Le,
            Self::Le => Self::Ge,
            other => other,
        }
    }
}
