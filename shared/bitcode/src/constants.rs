//! Constants.
//!
//! Small ones are decoded when their block is read; data (strings and arrays of numbers) is decoded when asked for. That of
//! a module stays in the bitcode, that of a function is copied as it is: its block need not stay. No constant contains itself, and none is nested more than [`DEPTH`] deep, so walks end.

use crate::{Block, Flags, Opcode, TypeId, Value};

/// The greatest nesting of constants.
pub const DEPTH: u32 = 256;

/// A constant that is not a global. Its type: [`FunctionBody::type_of`](crate::FunctionBody::type_of).
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum Constant<'c> {
    /// Zero of any type but single numbers, which are [`Int`](Self::Int), `WideInt` or `Float`: `null`,
    /// `zeroinitializer`, `none`.
    Null,
    Undef,
    Poison,
    /// An integer of at most 64 bits, sign-extended: `true` is -1.
    Int(i64),
    /// A wider integer: as many words as it takes, the lowest first; bits above its width are zero.
    WideInt(&'c [u64]),
    /// The bits of a floating-point number of any type, the lowest first: of `x86_fp80` the lower 64 are the
    /// significand, the upper 16 sign and exponent, as in memory.
    Float(u128),
    /// A structure, array or vector of these elements.
    Aggregate(&'c [Value]),
    /// An array or vector of integers of 8 to 64 bits or floating-point numbers.
    Data(Data<'c>),
    Binary {
        op: Opcode,
        flags: Flags,
        left: Value,
        right: Value,
    },
    Cast {
        op: Opcode,
        flags: Flags,
        value: Value,
    },
    /// `inrange` is left out: it restricts what the address is used for, not what it is.
    GetElementPtr {
        source: TypeId,
        flags: Flags,
        operands: &'c [Value],
    },
    ExtractElement {
        vector: Value,
        index: Value,
    },
    InsertElement {
        vector: Value,
        element: Value,
        index: Value,
    },
    ShuffleVector {
        left: Value,
        right: Value,
        mask: Value,
    },
    /// A comparison, choice or negation of these operands: LLVM before 20 had expressions for what are instructions only since.
    /// The reader says that there is one and nothing more: code generators refuse it.
    Former(&'c [Value]),
    /// The address of a block of a function. Of another function it is not known whether it has this block.
    BlockAddress {
        function: Value,
        block: Block,
    },
    DsoLocalEquivalent(Value),
    NoCfi(Value),
    /// `ptrauth`: pointer, key, discriminator, address discriminator, deactivation symbol.
    PtrAuth(&'c [Value]),
    InlineAsm(InlineAsm<'c>),
}

/// Inline assembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InlineAsm<'c> {
    /// Its function type.
    pub ty: TypeId,
    /// `sideeffect`
    pub side_effects: bool,
    /// `alignstack`
    pub align_stack: bool,
    /// Intel's syntax.
    pub intel: bool,
    /// `unwind`
    pub can_throw: bool,
    /// The text.
    pub text: &'c [u8],
    /// The constraints.
    pub constraints: &'c [u8],
}

/// An array or vector of numbers, as the bitcode has it: [`BitcodeModule::data`](crate::BitcodeModule::data) decodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'c> {
    pub(crate) bytes: &'c [u8],
    pub(crate) numbers: Numbers,
}

/// Where an array or vector of numbers is in some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) bit: u64,
    /// How many elements are written.
    pub(crate) written: u32,
    /// How each is encoded: see the stream's element encodings.
    pub(crate) encoding: u8,
    /// A zero follows that is not written.
    pub(crate) terminated: bool,
}

impl Data<'_> {
    /// How many elements it has.
    pub const fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Numbers {
    pub(crate) const fn len(&self) -> usize {
        self.written as usize + self.terminated as usize
    }
}

/// The constants of a module or of a function.
#[derive(Debug, Default)]
pub(crate) struct Constants {
    pub entries: Vec<Entry>,
    pub values: Vec<Value>,
    pub words: Vec<u64>,
    pub bytes: Vec<u8>,
    pub data: Vec<Numbers>,
    /// The constants that are addresses with a range, by number, and where that is in `words`, with its length.
    pub ranges: Vec<(u32, u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Null,
    Undef,
    Poison,
    Int,
    WideInt,
    Float,
    Aggregate,
    Data,
    Binary,
    Cast,
    GetElementPtr,
    ExtractElement,
    InsertElement,
    ShuffleVector,
    Former,
    BlockAddress,
    DsoLocalEquivalent,
    NoCfi,
    PtrAuth,
    InlineAsm,
}

/// One constant. Parts are ranges of the pools: `a` is the start, `b` the count.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub kind: Kind,
    pub opcode: Opcode,
    pub flags: Flags,
    /// Of `GetElementPtr` and `InlineAsm`.
    pub source: u32,
    pub payload: u64,
}

impl Entry {
    pub(crate) const fn range(start: usize, count: usize) -> u64 {
        start as u64 | (count as u64) << 32
    }
}

impl Constants {
    /// Forgets all, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.values.clear();
        self.words.clear();
        self.bytes.clear();
        self.data.clear();
        self.ranges.clear();
    }

    /// What an address may be used for: its range as bitcode has it, nothing if it has none.
    pub(crate) fn range(&self, index: usize) -> &[u64] {
        let Ok(at) = self.ranges.binary_search_by_key(&index, |(entry, ..)| *entry as usize) else {
            return &[];
        };
        let (_, start, len) = self.ranges[at];
        self.words.get(start as usize..start as usize + len as usize).unwrap_or(&[])
    }

    /// The constants that one is made of; globals that it names alone are left out.
    pub(crate) fn operands(&self, entry: &Entry) -> &[Value] {
        match entry.kind {
            Kind::Aggregate
            | Kind::Binary
            | Kind::Cast
            | Kind::GetElementPtr
            | Kind::ExtractElement
            | Kind::InsertElement
            | Kind::ShuffleVector
            | Kind::Former
            | Kind::PtrAuth => {
                let start = entry.payload as u32 as usize;
                self.values.get(start..start + (entry.payload >> 32) as usize).unwrap_or(&[])
            }
            _ => &[],
        }
    }

    /// The constant of this index; `bytes` is what positions of data are counted in.
    pub(crate) fn get<'c>(&'c self, index: usize, bytes: &'c [u8]) -> Option<Constant<'c>> {
        let entry = self.entries.get(index)?;
        let start = entry.payload as u32 as usize;
        let count = (entry.payload >> 32) as usize;
        let values = || self.values.get(start..start.checked_add(count)?);
        let pair = || <[Value; 2]>::try_from(values()?).ok();
        let triple = || <[Value; 3]>::try_from(values()?).ok();
        Some(match entry.kind {
            Kind::Null => Constant::Null,
            Kind::Undef => Constant::Undef,
            Kind::Poison => Constant::Poison,
            Kind::Int => Constant::Int(entry.payload as i64),
            Kind::WideInt => Constant::WideInt(self.words.get(start..start.checked_add(count)?)?),
            Kind::Float if entry.source == 0 => Constant::Float(entry.payload.into()),
            Kind::Float => {
                let &[low, high] = self.words.get(start..start.checked_add(2)?)? else { return None };
                Constant::Float(u128::from(low) | u128::from(high) << 64)
            }
            Kind::Aggregate => Constant::Aggregate(values()?),
            Kind::Data => Constant::Data(Data { bytes, numbers: *self.data.get(start)? }),
            Kind::Binary => {
                let [left, right] = pair()?;
                Constant::Binary { op: entry.opcode, flags: entry.flags, left, right }
            }
            Kind::Cast => Constant::Cast { op: entry.opcode, flags: entry.flags, value: *values()?.first()? },
            Kind::GetElementPtr => Constant::GetElementPtr {
                source: TypeId(entry.source),
                flags: entry.flags,
                operands: values()?,
            },
            Kind::ExtractElement => {
                let [vector, index] = pair()?;
                Constant::ExtractElement { vector, index }
            }
            Kind::InsertElement => {
                let [vector, element, index] = triple()?;
                Constant::InsertElement { vector, element, index }
            }
            Kind::ShuffleVector => {
                let [left, right, mask] = triple()?;
                Constant::ShuffleVector { left, right, mask }
            }
            Kind::Former => Constant::Former(values()?),
            Kind::BlockAddress => {
                Constant::BlockAddress { function: Value(start as u32), block: Block(count as u32) }
            }
            Kind::DsoLocalEquivalent => Constant::DsoLocalEquivalent(Value(start as u32)),
            Kind::NoCfi => Constant::NoCfi(Value(start as u32)),
            Kind::PtrAuth => Constant::PtrAuth(values()?),
            Kind::InlineAsm => {
                let text_end = start.checked_add(count)?;
                let length = *self.words.get(entry.source as usize)? as usize;
                let ty = *self.words.get(entry.source as usize + 1)? as u32;
                Constant::InlineAsm(InlineAsm {
                    ty: TypeId(ty),
                    side_effects: entry.flags.0 & 1 != 0,
                    align_stack: entry.flags.0 & 2 != 0,
                    intel: entry.flags.0 & 4 != 0,
                    can_throw: entry.flags.0 & 8 != 0,
                    text: self.bytes.get(start..text_end)?,
                    constraints: self.bytes.get(text_end..text_end.checked_add(length)?)?,
                })
            }
        })
    }
}
