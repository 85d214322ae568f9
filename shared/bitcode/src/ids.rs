//! Numbers of types, values, blocks and instructions, each a type of its own.

/// Index of a type in the module's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// A value: a global, a constant, an argument or the result of an instruction, numbered as LLVM does (see the crate's
/// documentation). As an operand of a call it may also be metadata ([`Value::metadata`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u32);

impl Value {
    /// Set in operands that are metadata; the rest is its number.
    pub(crate) const METADATA: u32 = 1 << 31;
    /// No value: in an instruction's `result`.
    pub const NONE: Value = Value(u32::MAX);

    /// The number of the metadata that this operand is, if it is metadata.
    pub const fn metadata(self) -> Option<u32> {
        if self.0 & Self::METADATA != 0 && self.0 != u32::MAX { Some(self.0 & !Self::METADATA) } else { None }
    }

    /// Whether this is [`Value::NONE`].
    pub const fn is_none(self) -> bool {
        self.0 == u32::MAX
    }
}

/// A basic block of a function: 0 is the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block(pub u32);

/// An instruction of a function body, in the order of the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inst(pub u32);

/// A list of attributes, of a function or a call; 0 is the empty list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttributeListId(pub u32);

/// An alignment: none, or a power of two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Align(pub(crate) u8);

impl Align {
    /// No alignment given.
    pub const NONE: Align = Align(0);

    /// From the encoding of LLVM: 0 for none, else the binary logarithm and one.
    pub(crate) const fn from_encoded(encoded: u64) -> Option<Align> {
        // LLVM's greatest alignment is 2^32.
        if encoded <= 33 { Some(Align(encoded as u8)) } else { None }
    }

    /// That of the ABI, a power of two.
    pub(crate) const fn of(bytes: u32) -> Align {
        Align(bytes.trailing_zeros() as u8 + 1)
    }

    /// In bytes, if any is given.
    pub const fn bytes(self) -> Option<u64> {
        match self.0 {
            0 => None,
            n => Some(1 << (n - 1)),
        }
    }
}
