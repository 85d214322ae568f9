//! Blocks and records: the bitstream, without knowledge of what it holds.

use crate::abbreviations::{Abbreviation, Abbreviations, Encoding, Field, Tail, char6};
use crate::bits::{Cursor, Window};
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

    /// Reads a record's code.
    pub fn head(&mut self, abbreviation: u32) -> Result<Head> {
        if abbreviation == UNABBREVIATED {
            let code = self.cursor.vbr(6);
            let count = self.cursor.vbr(6);
            if code > u32::MAX.into() || count > self.cursor.left() / 6 || count > u32::MAX.into() {
                return Err(self.error(Reason::Record));
            }
            return Ok(Head { code: code as u32, form: Form::Plain(count as u32) });
        }
        let index = abbreviation.wrapping_sub(FIRST_ABBREVIATION) as usize;
        let known = self.known.list.len();
        let own = index >= known;
        let found = if own { self.own.list.get(index - known) } else { self.known.list.get(index) };
        let Some(&(mut abbreviation)) = found else { return Err(self.error(Reason::Abbreviation)) };
        let code = match self.fields_of(own).get(abbreviation.first as usize) {
            Some(&field) => field.read(&mut self.cursor),
            None => return Err(self.error(Reason::Abbreviation)),
        };
        abbreviation.first += 1;
        let Ok(code) = u32::try_from(code) else { return Err(self.error(Reason::Record)) };
        Ok(Head { code, form: Form::Abbreviated(abbreviation, own) })
    }

    /// The fields of an abbreviation that is known from outside of the block, the first of them the code.
    pub fn known(&self, abbreviation: u32) -> Option<(&'i [Field], Tail)> {
        let found = self.known.list.get(abbreviation.checked_sub(FIRST_ABBREVIATION)? as usize)?;
        Some((self.known.fields.get(found.first as usize..found.end as usize)?, found.tail))
    }

    /// Whether the block has defined abbreviations.
    pub fn defines(&self) -> bool {
        !self.own.list.is_empty()
    }

    fn fields_of(&self, own: bool) -> &[Field] {
        if own { &self.own.fields } else { &self.known.fields }
    }

    /// Reads what comes next in a body: what [`next`](Self::next), [`head`](Self::head) and [`fields`](Self::fields) do, in
    /// one go. Gives the record's fields.
    #[inline(always)]
    pub fn step<'r>(&mut self, record: &'r mut Record) -> Result<Step<'r>> {
        let mut window = Window::new(&self.cursor);
        let abbreviation = window.fixed(self.width, (1 << self.width) - 1) as u32;
        let (code, count) = if abbreviation > UNABBREVIATED {
            let index = (abbreviation - FIRST_ABBREVIATION) as usize;
            let known = &self.known.list;
            let (found, fields) = match known.get(index) {
                Some(found) => (found, &self.known.fields),
                None => match self.own.list.get(index - known.len()) {
                    Some(found) => (found, &self.own.fields),
                    None => return Err(self.error(Reason::Abbreviation)),
                },
            };
            let fields = fields.get(found.first as usize..found.end as usize).unwrap_or_default();
            let Some((code, fields)) = fields.split_first() else {
                return Err(self.error(Reason::Abbreviation));
            };
            let code = code.read_ahead(&mut window);
            if self.passes(code) && found.tail == Tail::None {
                fields.iter().for_each(|field| field.pass(&mut window));
                window.done(&mut self.cursor);
                self.cursor.check()?;
                return Ok(Step::Record(code as u32, &[]));
            }
            for (into, field) in record.room(fields.len()).iter_mut().zip(fields) {
                *into = field.read_ahead(&mut window);
            }
            let (count, tail) = (fields.len(), found.tail);
            window.done(&mut self.cursor);
            match tail {
                Tail::None => (code, count),
                Tail::Array(element) => (code, self.array_fields(element, count, record)?.len()),
                Tail::Blob => return Err(self.error(Reason::Record)),
            }
        } else if abbreviation == UNABBREVIATED {
            let code = window.vbr(6, 32);
            let count = window.vbr(6, 32);
            window.done(&mut self.cursor);
            if count > self.cursor.left() / 6 {
                return Err(self.error(Reason::Record));
            }
            if self.passes(code) {
                let mut window = Window::new(&self.cursor);
                (0..count).for_each(|_| window.pass_vbr(6));
                window.done(&mut self.cursor);
                self.cursor.check()?;
                return Ok(Step::Record(code as u32, &[]));
            }
            plain_fields(&mut self.cursor, count as u32, record);
            (code, count as usize)
        } else {
            return Ok(match self.next()? {
                Next::End => Step::End,
                Next::Block(kind) => Step::Block(kind),
                Next::Record(abbreviation) => {
                    let head = self.head(abbreviation)?;
                    Step::Record(head.code, self.fields(head, record)?)
                }
            });
        };
        self.cursor.check()?;
        Ok(Step::Record(code.min(u32::MAX.into()) as u32, record.get(count)))
    }

    #[inline(always)]
    fn passes(&self, code: u64) -> bool {
        code < 128 && self.passed >> code & 1 != 0
    }

    /// Reads a record's fields.
    pub fn fields<'r>(&mut self, head: Head, record: &'r mut Record) -> Result<&'r [u64]> {
        match head.form {
            Form::Plain(count) => {
                plain_fields(&mut self.cursor, count, record);
                self.cursor.check()?;
                Ok(record.get(count as usize))
            }
            Form::Abbreviated(abbreviation, own) => {
                let all = if own { &self.own.fields } else { &self.known.fields };
                let fields = all.get(abbreviation.first as usize..abbreviation.end as usize).unwrap_or(&[]);
                let into = record.room(fields.len());
                for (into, field) in into.iter_mut().zip(fields) {
                    *into = field.read(&mut self.cursor);
                }
                let count = fields.len();
                self.cursor.check()?;
                match abbreviation.tail {
                    Tail::None => Ok(record.get(count)),
                    Tail::Array(element) => self.array_fields(element, count, record),
                    Tail::Blob => Err(self.error(Reason::Record)),
                }
            }
        }
    }

    /// Reads the array behind so many fields.
    fn array_fields<'r>(
        &mut self,
        element: Field,
        before: usize,
        record: &'r mut Record,
    ) -> Result<&'r [u64]> {
        let count = self.array_length(element)? as usize;
        let all = record.room(before + count);
        let mut window = Window::new(&self.cursor);
        let elements = all.get_mut(before..).unwrap_or_default();
        if element.encoding == Encoding::Char6 {
            elements.iter_mut().for_each(|into| *into = char6(window.fixed(6, 63)).into());
        } else {
            elements.iter_mut().for_each(|into| *into = element.read_ahead(&mut window));
        }
        window.done(&mut self.cursor);
        self.cursor.check()?;
        Ok(all)
    }

    fn array_length(&mut self, element: Field) -> Result<u32> {
        let count = self.cursor.vbr(6);
        // Each element takes at least a bit.
        if count > self.cursor.left() / element.bits().max(1) || count > u32::MAX.into() {
            return Err(self.error(Reason::Record));
        }
        Ok(count as u32)
    }

    /// Passes over a record's fields.
    pub fn skip(&mut self, head: Head) -> Result<()> {
        match head.form {
            Form::Plain(count) => {
                for _ in 0..count {
                    self.cursor.vbr(6);
                }
            }
            Form::Abbreviated(abbreviation, own) => {
                let all = if own { &self.own.fields } else { &self.known.fields };
                for field in all.get(abbreviation.first as usize..abbreviation.end as usize).unwrap_or(&[]) {
                    field.read(&mut self.cursor);
                }
                match abbreviation.tail {
                    Tail::None => {}
                    Tail::Array(element) => {
                        let count = self.array_length(element)?;
                        skip_array(&mut self.cursor, element, count);
                    }
                    Tail::Blob => self.blob_bytes().map(|_| ())?,
                }
            }
        }
        self.cursor.check()
    }

    /// Passes over a record that is nothing but an array.
    pub fn array(&mut self, head: Head) -> Result<Array> {
        let (count, element) = match head.form {
            Form::Plain(count) => (count, Field::vbr(6)),
            Form::Abbreviated(abbreviation, _) => match abbreviation.tail {
                Tail::Array(element) if abbreviation.first == abbreviation.end => {
                    (self.array_length(element)?, element)
                }
                _ => return Err(self.error(Reason::Record)),
            },
        };
        let array = Array { bit: self.cursor.bit(), count, element };
        skip_array(&mut self.cursor, element, count);
        self.cursor.check()?;
        Ok(array)
    }

    /// Passes over the fields before a blob, and reads the blob. `before` gets the fields.
    pub fn blob(&mut self, head: Head, before: &mut Record) -> Result<&'a [u8]> {
        let Form::Abbreviated(abbreviation, own) = head.form else { return Err(self.error(Reason::Record)) };
        if abbreviation.tail != Tail::Blob {
            return Err(self.error(Reason::Record));
        }
        let all = if own { &self.own.fields } else { &self.known.fields };
        let fields = all.get(abbreviation.first as usize..abbreviation.end as usize).unwrap_or(&[]);
        for (into, field) in before.room(fields.len()).iter_mut().zip(fields) {
            *into = field.read(&mut self.cursor);
        }
        self.blob_bytes()
    }

    fn blob_bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.cursor.vbr(6);
        self.cursor.align();
        self.cursor.check()?;
        let bytes = self.cursor.bytes(length)?;
        self.cursor.align();
        Ok(bytes)
    }
}

/// Reads the fields of a record that has no abbreviation.
#[inline(always)]
fn plain_fields(cursor: &mut Cursor<'_>, count: u32, record: &mut Record) {
    let mut window = Window::new(cursor);
    for into in record.room(count as usize) {
        *into = window.vbr(6, 32);
    }
    window.done(cursor);
}

/// Memory for the fields of a record, used again for each.
#[derive(Debug, Default)]
pub(crate) struct Record(Vec<u64>);

impl Record {
    /// Room for so many fields; those that were read before stay.
    #[inline(always)]
    fn room(&mut self, count: usize) -> &mut [u64] {
        if count > self.0.len() {
            self.grow(count);
        }
        self.0.get_mut(..count).unwrap_or_default()
    }

    #[cold]
    fn grow(&mut self, count: usize) {
        self.0.resize(count.next_power_of_two().max(64), 0);
    }

    /// The first fields.
    #[inline(always)]
    pub fn get(&self, count: usize) -> &[u64] {
        self.0.get(..count).unwrap_or_default()
    }
}

fn skip_array(cursor: &mut Cursor<'_>, element: Field, count: u32) {
    if element.encoding == Encoding::Vbr {
        for _ in 0..count {
            cursor.vbr(element.width.into());
        }
    } else {
        cursor.advance(u64::from(count) * element.bits());
    }
}

impl Array {
    /// Decodes the numbers.
    pub fn read(&self, bytes: &[u8], mut each: impl FnMut(u64)) -> Result<()> {
        let mut cursor = Cursor::at(bytes, self.bit);
        for _ in 0..self.count {
            each(self.element.read(&mut cursor));
        }
        cursor.check()
    }
}

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
