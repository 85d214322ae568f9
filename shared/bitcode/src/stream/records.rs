//! The fields of records, as their abbreviations lay them out.

use super::{Array, FIRST_ABBREVIATION, Form, Head, Next, Reader, Record, Step, UNABBREVIATED};
use crate::abbreviations::{Encoding, Field, Tail, char6};
use crate::bits::{Cursor, Window};
use crate::{Reason, Result};

/// Reads the fields of a record that has no abbreviation.
#[inline(always)]
pub(super) fn plain_fields(cursor: &mut Cursor<'_>, count: u32, record: &mut Record) {
    let mut window = Window::new(cursor);
    for into in record.room(count as usize) {
        *into = window.vbr(6, 32);
    }
    window.done(cursor);
}

pub(super) fn skip_array(cursor: &mut Cursor<'_>, element: Field, count: u32) {
    if element.encoding == Encoding::Vbr {
        for _ in 0..count {
            cursor.vbr(element.width.into());
        }
    } else {
        cursor.advance(u64::from(count) * element.bits());
    }
}

impl Record {
    /// Room for so many fields; those that were read before stay.
    #[inline(always)]
    pub(super) fn room(&mut self, count: usize) -> &mut [u64] {
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

impl<'a, 'i> Reader<'a, 'i> {
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

    pub(super) fn fields_of(&self, own: bool) -> &[Field] {
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
    pub(super) fn passes(&self, code: u64) -> bool {
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
    pub(super) fn array_fields<'r>(
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

    pub(super) fn array_length(&mut self, element: Field) -> Result<u32> {
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

    pub(super) fn blob_bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.cursor.vbr(6);
        self.cursor.align();
        self.cursor.check()?;
        let bytes = self.cursor.bytes(length)?;
        self.cursor.align();
        Ok(bytes)
    }
}
