//! Why bitcode is not read: a reason and the bit at which it was found.

/// What is wrong with the bitcode, or what the reader does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Reason {
    /// The bytes do not begin as bitcode does.
    NotBitcode,
    /// A block or record goes beyond the end of the bytes.
    Truncated,
    /// Written by another epoch of LLVM, or in a version of the module format before relative operands and the string
    /// table.
    Version,
    /// A block's header, its end, or its nesting is damaged.
    Block,
    /// An abbreviation that LLVM does not write: unknown encoding, too wide, too long, or none of this number.
    Abbreviation,
    /// A record of a kind that the reader does not know.
    UnknownRecord,
    /// A record with too few, too many or impossible fields.
    Record,
    /// A type that does not exist, or one that has no place here.
    Type,
    /// A type that contains itself, or that is nested too deeply.
    NestedType,
    /// The type of a computed result is not in the type table.
    MissingType,
    /// Typed pointers: bitcode older than opaque pointers.
    TypedPointer,
    /// A value that does not exist.
    Value,
    /// A value of another type than its place requires, or used with another type than it has.
    ValueType,
    /// A constant that contains itself, or that is nested too deeply.
    NestedConstant,
    /// A block of the function that does not exist, or a block without a terminator.
    BasicBlock,
    /// An attribute list, group or kind that does not exist.
    Attribute,
    /// A name or string outside of the string table.
    Name,
    /// A metadata record or reference that is damaged.
    Metadata,
    /// More than one module, no module, or parts in the wrong order.
    Structure,
    /// More of something than the reader's numbers hold.
    TooLarge,
    /// Well-formed, but out of use or of no use on this processor, and so not read.
    Unsupported,
    /// The function has no body in this module.
    NoBody,
}

impl Reason {
    /// A few words for messages and statistics.
    pub const fn text(self) -> &'static str {
        match self {
            Reason::NotBitcode => "not bitcode",
            Reason::Truncated => "truncated bitcode",
            Reason::Version => "bitcode of another version",
            Reason::Block => "damaged block",
            Reason::Abbreviation => "damaged abbreviation",
            Reason::UnknownRecord => "unknown record",
            Reason::Record => "damaged record",
            Reason::Type => "wrong type",
            Reason::NestedType => "type contains itself",
            Reason::MissingType => "missing type",
            Reason::TypedPointer => "typed pointers",
            Reason::Value => "reference to no value",
            Reason::ValueType => "value of the wrong type",
            Reason::NestedConstant => "constant contains itself",
            Reason::BasicBlock => "damaged control flow",
            Reason::Attribute => "damaged attributes",
            Reason::Name => "damaged string table",
            Reason::Metadata => "damaged metadata",
            Reason::Structure => "damaged module",
            Reason::TooLarge => "module too large",
            Reason::Unsupported => "unsupported construct",
            Reason::NoBody => "function without a body",
        }
    }
}

/// Why a module, function or metadata could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong.
    pub reason: Reason,
    /// Where: the number of bits before the place at which it was noticed.
    pub bit: u64,
}

/// The result of reading.
pub type Result<T> = core::result::Result<T, Error>;
