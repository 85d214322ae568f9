//! Abbreviations: how the fields of records are written.
//!
//! An abbreviation gives a record's fields widths or fixed values. Those that LLVM writes are short; longer ones, and ones
//! that would make many fields of few bits, are refused, so that time and memory stay linear in the bits.

use crate::bit_writer::BitWriter;
use crate::bits::{Cursor, Window};
use crate::{Reason, Result};

/// The most fields of an abbreviation, and how many of them may have a value instead of bits.
const FIELDS: usize = 64;
const LITERALS: usize = 12;

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub encoding: Encoding,
    pub width: u8,
    /// The literal, the mask of a fixed width, or the highest bit of a chunk.
    value: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Encoding {
    Literal,
    Fixed,
    Vbr,
    Char6,
    /// More than a window holds.
    Wide,
}

impl Field {
    const fn literal(value: u64) -> Field {
        Field { encoding: Encoding::Literal, width: 0, value }
    }

    /// At most 64 bits.
    pub const fn fixed(width: u8) -> Field {
        match width {
            0 => Field::literal(0),
            1..=57 => Field { encoding: Encoding::Fixed, width, value: (1 << width) - 1 },
            _ => Field { encoding: Encoding::Wide, width, value: 0 },
        }
    }

    /// 2 to 32 bits.
    pub const fn vbr(width: u8) -> Field {
        Field { encoding: Encoding::Vbr, width, value: 1 << (width as u32 - 1) }
    }

    pub const fn char6() -> Field {
        Field { encoding: Encoding::Char6, width: 6, value: 63 }
    }

    pub fn read(self, cursor: &mut Cursor<'_>) -> u64 {
        match self.encoding {
            Encoding::Literal => self.value,
            Encoding::Fixed | Encoding::Wide => cursor.fixed(self.width.into()),
            Encoding::Vbr => cursor.vbr(self.width.into()),
            Encoding::Char6 => char6(cursor.fixed(6)).into(),
        }
    }

    #[inline(always)]
    pub fn read_ahead(&self, window: &mut Window<'_>) -> u64 {
        match self.encoding {
            Encoding::Vbr => window.vbr(self.width.into(), self.value),
            Encoding::Fixed => window.fixed(self.width.into(), self.value),
            Encoding::Literal => self.value,
            _ => {
                let (value, behind) = self.read_rare(*window);
                *window = behind;
                value
            }
        }
    }

    /// The same for what records of instructions have none of: with it, the encodings would be told apart by a table.
    #[cold]
    #[inline(never)]
    fn read_rare<'w>(&self, mut window: Window<'w>) -> (u64, Window<'w>) {
        let value = match self.encoding {
            Encoding::Char6 => char6(window.fixed(6, 63)).into(),
            _ => {
                let low = window.fixed(32, u32::MAX.into());
                let width = u32::from(self.width) - 32;
                low | window.fixed(width, (1 << width) - 1) << 32
            }
        };
        (value, window)
    }

    /// Writes a value; None if it is none of this field.
    pub fn write(&self, value: u64, out: &mut BitWriter) -> Option<()> {
        match self.encoding {
            Encoding::Literal => (value == self.value).then_some(()),
            Encoding::Fixed => (value & self.value == value).then(|| out.fixed(value, self.width.into())),
            Encoding::Vbr => {
                out.vbr(value, self.width.into());
                Some(())
            }
            Encoding::Char6 | Encoding::Wide => None,
        }
    }

    /// The bits of a value; None if it is none of this field.
    pub fn length_of(&self, value: u64) -> Option<u64> {
        match self.encoding {
            Encoding::Literal => (value == self.value).then_some(0),
            Encoding::Fixed => (value & self.value == value).then_some(self.width.into()),
            Encoding::Vbr => Some(vbr_length(value, self.width)),
            Encoding::Char6 | Encoding::Wide => None,
        }
    }

    /// Passes over it.
    #[inline(always)]
    pub fn pass(&self, window: &mut Window<'_>) {
        match self.encoding {
            Encoding::Vbr => window.pass_vbr(self.width.into()),
            _ => window.pass(self.width.into()),
        }
    }

    /// The fewest bits that it takes.
    pub fn bits(self) -> u64 {
        self.width.into()
    }
}

/// The bits of a number in chunks of `width` bits, in as few of them as can be.
pub(crate) fn vbr_length(value: u64, width: u8) -> u64 {
    let bits = (64 - value.leading_zeros()).max(1);
    u64::from(bits.div_ceil(u32::from(width) - 1)) * u64::from(width)
}

pub(crate) const fn char6(value: u64) -> u8 {
    match value as u8 {
        value @ 0..=25 => b'a' + value,
        value @ 26..=51 => b'A' + value - 26,
        value @ 52..=61 => b'0' + value - 52,
        62 => b'.',
        _ => b'_',
    }
}

/// What follows an abbreviation's single fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    None,
    Array(Field),
    Blob,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Abbreviation {
    pub first: u32,
    pub end: u32,
    pub tail: Tail,
}

/// The abbreviations that a block defines, or that are defined for all blocks of a kind.
#[derive(Debug, Default)]
pub(crate) struct Abbreviations {
    pub list: Vec<Abbreviation>,
    pub fields: Vec<Field>,
}

impl Abbreviations {
    /// Reads a definition.
    pub fn define(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let count = cursor.vbr(5);
        if count == 0 || count > FIELDS as u64 {
            return Err(cursor.error(Reason::Abbreviation));
        }
        let first = self.fields.len() as u32;
        let mut tail = Tail::None;
        let mut literals = 0;
        let mut left = count;
        while left > 0 {
            left -= 1;
            if cursor.fixed(1) == 1 {
                literals += 1;
                self.fields.push(Field::literal(cursor.vbr(8)));
                continue;
            }
            match cursor.fixed(3) {
                // The element is the last field; it must have bits, or a long array would take none.
                3 if left == 1 => {
                    left = 0;
                    if cursor.fixed(1) == 1 {
                        return Err(cursor.error(Reason::Abbreviation));
                    }
                    let encoding = cursor.fixed(3);
                    let element = Self::scalar(encoding, cursor)?;
                    if element.bits() == 0 {
                        return Err(cursor.error(Reason::Abbreviation));
                    }
                    tail = Tail::Array(element);
                }
                5 if left == 0 => tail = Tail::Blob,
                encoding => {
                    let field = Self::scalar(encoding, cursor)?;
                    literals += usize::from(field.bits() == 0);
                    self.fields.push(field);
                }
            }
        }
        cursor.check()?;
        let end = self.fields.len() as u32;
        if literals > LITERALS || first == end {
            return Err(cursor.error(Reason::Abbreviation));
        }
        self.list.push(Abbreviation { first, end, tail });
        Ok(())
    }

    fn scalar(encoding: u64, cursor: &mut Cursor<'_>) -> Result<Field> {
        let width = if encoding == 1 || encoding == 2 { cursor.vbr(5) } else { 0 };
        match (encoding, width) {
            (1 | 2, 0) => Ok(Field::literal(0)),
            (1, 1..=64) => Ok(Field::fixed(width as u8)),
            (2, 2..=32) => Ok(Field::vbr(width as u8)),
            (4, _) => Ok(Field::char6()),
            _ => Err(cursor.error(Reason::Abbreviation)),
        }
    }
}
