//! Blocks and records: the bitstream, without knowledge of what it holds.

mod records;

use crate::abbreviations::{Abbreviation, Abbreviations, Field};
use crate::bits::Cursor;
use crate::{Error, Reason, Result};

const END_BLOCK: u64 = 0;
pub(crate) const ENTER_BLOCK: u64 = 1;
const DEFINE_ABBREVIATION: u64 = 2;
pub(crate) const UNABBREVIATED: u32 = 3;
const FIRST_ABBREVIATION: u32 = 4;

/// The numbers of blocks.
pub(crate) mod block {
    pub const INFO: u32 = 0;
    pub const MODULE: u32 = 8;
    pub const ATTRIBUTES: u32 = 9;
    pub const ATTRIBUTE_GROUPS: u32 = 10;
    pub const CONSTANTS: u32 = 11;
    pub const FUNCTION: u32 = 12;
    pub const IDENTIFICATION: u32 = 13;
    pub const VALUE_SYMBOLS: u32 = 14;
    pub const METADATA: u32 = 15;
    pub const METADATA_ATTACHMENT: u32 = 16;
    pub const TYPES: u32 = 17;
    pub const USE_LISTS: u32 = 18;
    pub const SUMMARY: u32 = 20;
    pub const BUNDLE_TAGS: u32 = 21;
    pub const METADATA_KINDS: u32 = 22;
    pub const STRINGS: u32 = 23;
    pub const FULL_SUMMARY: u32 = 24;
    pub const SYMBOLS: u32 = 25;
    pub const SYNC_SCOPES: u32 = 26;
    /// One more than the greatest.
    pub const COUNT: usize = 27;
}

static NO_ABBREVIATIONS: Abbreviations = Abbreviations { list: Vec::new(), fields: Vec::new() };

/// What the info block says: abbreviations for each kind of block.
#[derive(Debug, Default)]
pub(crate) struct Info([Abbreviations; block::COUNT]);

/// What comes next in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    End,
    /// A block of this kind: to be entered or skipped.
    Block(u32),
    /// A record with this abbreviation: its head is to be read.
    Record(u32),
}

/// What comes next in a block: a record with its code and fields.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'r> {
    End,
    Block(u32),
    Record(u32, &'r [u64]),
}

/// The head of a record: its code, and how its fields are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub code: u32,
    form: Form,
}

#[derive(Clone, Copy, Debug)]
enum Form {
    /// So many variable-width numbers.
    Plain(u32),
    Abbreviated(Abbreviation, bool),
}

/// An array of numbers within the bits, not decoded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Array {
    pub bit: u64,
    pub count: u32,
    pub element: Field,
}

/// A block that is being read.
#[derive(Debug)]
pub(crate) struct Reader<'a, 'i> {
    pub cursor: Cursor<'a>,
    known: &'i Abbreviations,
    own: Abbreviations,
    width: u32,
    /// By code, a bit: records that [`step`](Self::step) passes over, and gives without their fields.
    pub passed: u128,
}

impl<'a, 'i> Reader<'a, 'i> {
    /// The outermost level, or a place where a block's header begins.
    pub fn top(cursor: Cursor<'a>) -> Self {
        Reader { cursor, known: &NO_ABBREVIATIONS, own: Abbreviations::default(), width: 2, passed: 0 }
    }

    pub fn error(&self, reason: Reason) -> Error {
        self.cursor.error(reason)
    }

    /// A place in a block whose abbreviations have so many bits; none is known but for those of inner blocks.
    pub fn within(cursor: Cursor<'a>, width: u32) -> Self {
        Reader { width, ..Reader::top(cursor) }
    }

    /// The width of the block's abbreviations.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// What comes next; abbreviations that are defined here are taken in.
    pub fn next(&mut self) -> Result<Next> {
        loop {
            return Ok(match self.cursor.fixed(self.width) {
                END_BLOCK => {
                    self.cursor.align();
                    if self.cursor.bit() != self.cursor.end() {
                        return Err(self.error(Reason::Block));
                    }
                    Next::End
                }
                ENTER_BLOCK => Next::Block(self.number(8)?),
                DEFINE_ABBREVIATION => {
                    self.own.define(&mut self.cursor)?;
                    continue;
                }
                abbreviation => Next::Record(abbreviation as u32),
            });
        }
    }

    /// Goes back to where something was read before.
    pub fn go(&mut self, bit: u64) {
        self.cursor.go(bit);
    }

    /// What is at a place where [`next`](Self::next) was called before: definitions that are there are known.
    pub fn next_again(&mut self) -> Result<Next> {
        let known = (self.own.list.len(), self.own.fields.len());
        let next = self.next();
        self.own.list.truncate(known.0);
        self.own.fields.truncate(known.1);
        next
    }

    fn number(&mut self, width: u32) -> Result<u32> {
        let value = self.cursor.vbr(width);
        self.cursor.check()?;
        u32::try_from(value).map_err(|_| self.error(Reason::Block))
    }

    /// Width of the block's abbreviations, and its end in bits, which may be beyond the bytes.
    fn open_header(&mut self) -> Result<(u32, u64)> {
        let width = self.number(4)?;
        self.cursor.align();
        let words = self.cursor.fixed(32);
        self.cursor.check()?;
        if !(2..=32).contains(&width) {
            return Err(self.error(Reason::Block));
        }
        Ok((width, self.cursor.bit() + words * 32))
    }

    /// Width of the block's abbreviations, and its end in bits.
    fn block_header(&mut self) -> Result<(u32, u64)> {
        let (width, end) = self.open_header()?;
        if end > self.cursor.end() {
            return Err(self.error(Reason::Truncated));
        }
        Ok((width, end))
    }

    /// Passes over the block that comes next.
    pub fn skip_block(&mut self) -> Result<()> {
        let (_, end) = self.block_header()?;
        self.cursor.advance(end - self.cursor.bit());
        Ok(())
    }

    /// The same; gives the width of its abbreviations, where its header ends, and where the words behind that begin.
    pub fn skip_block_from(&mut self) -> Result<(u32, u64, u64)> {
        let mut header = self.cursor;
        header.vbr(4);
        let end = header.bit();
        header.align();
        let (width, behind) = self.block_header()?;
        self.go(behind);
        Ok((width, end, header.bit()))
    }

    /// Enters the block that comes next, of this kind; here, reading goes on behind it.
    pub fn enter<'j>(&mut self, kind: u32, info: &'j Info) -> Result<Reader<'a, 'j>> {
        let known = info.0.get(kind as usize).unwrap_or(&NO_ABBREVIATIONS);
        self.enter_with(known)
    }

    /// Enters the block that comes next, of which the bytes have the beginning.
    pub fn enter_beginning(&mut self) -> Result<Reader<'a, 'static>> {
        let (width, _) = self.open_header()?;
        Ok(Reader::within(self.cursor, width))
    }

    /// Enters a block for which no abbreviations are known but its own.
    pub fn enter_plain(&mut self) -> Result<Reader<'a, 'static>> {
        self.enter_with(&NO_ABBREVIATIONS)
    }

    fn enter_with<'j>(&mut self, known: &'j Abbreviations) -> Result<Reader<'a, 'j>> {
        let (width, end) = self.block_header()?;
        let mut cursor = self.cursor;
        cursor.limit(end)?;
        self.cursor.advance(end - self.cursor.bit());
        Ok(Reader { cursor, known, own: Abbreviations::default(), width, passed: 0 })
    }
}

/// Memory for the fields of a record, used again for each.
#[derive(Debug, Default)]
pub(crate) struct Record(Vec<u64>);

impl Info {
    /// Reads the info block that comes next.
    pub fn read(&mut self, parent: &mut Reader<'_, '_>) -> Result<()> {
        let mut reader = parent.enter_plain()?;
        let mut kind = None;
        let mut record = Record::default();
        loop {
            match reader.cursor.fixed(reader.width) {
                END_BLOCK => return reader.cursor.check(),
                DEFINE_ABBREVIATION => match kind.and_then(|kind: usize| self.0.get_mut(kind)) {
                    Some(abbreviations) => abbreviations.define(&mut reader.cursor)?,
                    None => return Err(reader.error(Reason::Abbreviation)),
                },
                abbreviation if abbreviation == u64::from(UNABBREVIATED) => {
                    let head = reader.head(UNABBREVIATED)?;
                    // 1: what follows is for this kind of block; 2 and 3 are names.
                    if let (1, &[number]) = (head.code, reader.fields(head, &mut record)?) {
                        kind = usize::try_from(number).ok();
                    }
                }
                _ => return Err(reader.error(Reason::Block)),
            }
        }
    }
}
