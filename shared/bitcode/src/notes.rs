//! Records and blocks that were taken out of bodies, as bytes: where each was, and its fields.
//!
//! Most are locations, and most of these differ little from the one before. An entry begins with a byte: its form, and how
//! many records and blocks have stayed since the entry before. A form is an abbreviation, a code, how many fields there are,
//! and which fields of a location are those of the last one. Fields are numbers of seven bits a byte. A block has its own form,
//! the width of its abbreviations and its length in words as numbers, and these words. What bytes are good
//! for is that they are found again by zstd: in the bitstream hardly any record begins where a byte does.

use crate::function::LOCATION;
use crate::stream::ENTER_BLOCK;
use crate::{Error, Reason, Result};

/// Forms, at most: the head of an entry has four bits for them.
const FORMS: usize = 16;
/// The count in the head of an entry that says that it follows.
const LONG: u64 = 15;
/// Fields of a record, at most.
pub(crate) const FIELDS: usize = 16;
/// Codes of records, at most.
pub(crate) const CODES: usize = 128;

/// How an entry is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    abbreviation: u32,
    code: u32,
    count: u32,
    same: u8,
}

/// The scope is that of the last location.
const SCOPE: u8 = 1;
/// So are the fields behind it.
const REST: u8 = 2;

/// A record or block that was taken out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note<'a> {
    pub abbreviation: u32,
    /// The code of a record, or the kind of a block.
    pub code: u32,
    pub count: usize,
    pub fields: [u64; FIELDS],
    /// The words of a block; the width of its abbreviations is the first field.
    pub words: &'a [u8],
}

impl Note<'_> {
    const NONE: Note<'static> = Note { abbreviation: 0, code: 0, count: 0, fields: [0; FIELDS], words: &[] };

    pub fn is_block(&self) -> bool {
        u64::from(self.abbreviation) == ENTER_BLOCK
    }

    pub fn fields(&self) -> &[u64] {
        self.fields.get(..self.count).unwrap_or_default()
    }
}

/// By code, the fields of the last record.
type Last = [[u64; FIELDS]; CODES];

/// Where fields of a location are.
mod field {
    pub const COLUMN: usize = 1;
    pub const SCOPE: usize = 2;
}

/// Which fields are not written.
const fn is_same(same: u8, index: usize) -> bool {
    match index {
        field::SCOPE => same & SCOPE != 0,
        0 | field::COLUMN => false,
        _ => same & REST != 0,
    }
}

/// Whether a field is written as the difference to the last one.
const fn is_difference(code: u32, index: usize) -> bool {
    code != LOCATION || matches!(index, 0 | field::SCOPE)
}

const fn fold(difference: u64) -> u64 {
    difference << 1 ^ ((difference as i64) >> 63) as u64
}

const fn unfold(folded: u64) -> u64 {
    folded >> 1 ^ (folded & 1).wrapping_neg()
}

/// Entries in the making.
#[derive(Debug)]
pub(crate) struct Writer {
    forms: Vec<Form>,
    last: Box<Last>,
    bytes: Vec<u8>,
}

impl Writer {
    pub fn new() -> Self {
        Writer { forms: Vec::new(), last: Box::new([[0; FIELDS]; CODES]), bytes: Vec::new() }
    }

    /// Adds a record in front of which so much has stayed since the last one. False if there are too many forms.
    pub fn add(&mut self, stayed: u64, abbreviation: u32, code: u32, fields: &[u64]) -> bool {
        let Some(last) = self.last.get_mut(code as usize) else { return false };
        let mut same = 0;
        if code == LOCATION {
            let is_last = |index: usize| fields.get(index) == last.get(index);
            same |= if is_last(field::SCOPE) { SCOPE } else { 0 };
            same |= if (field::SCOPE + 1..fields.len()).all(is_last) { REST } else { 0 };
        }
        let form = Form { abbreviation, code, count: fields.len() as u32, same };
        if !Self::begin(&mut self.forms, &mut self.bytes, stayed, form) {
            return false;
        }
        for (index, (field, last)) in fields.iter().zip(last).enumerate() {
            if is_same(same, index) {
                continue;
            }
            let difference = fold(field.wrapping_sub(*last));
            put(&mut self.bytes, if is_difference(code, index) { difference } else { *field });
            *last = *field;
        }
        true
    }

    /// Adds a block, whose abbreviations have so many bits.
    pub fn add_block(&mut self, stayed: u64, kind: u32, width: u32, words: &[u8]) -> bool {
        let form = Form { abbreviation: ENTER_BLOCK as u32, code: kind, count: 1, same: 0 };
        let added = Self::begin(&mut self.forms, &mut self.bytes, stayed, form);
        put(&mut self.bytes, width.into());
        put(&mut self.bytes, words.len() as u64 / 4);
        self.bytes.extend_from_slice(words);
        added
    }

    /// Begins an entry. False if there are too many forms.
    fn begin(forms: &mut Vec<Form>, bytes: &mut Vec<u8>, stayed: u64, form: Form) -> bool {
        let number = forms.iter().position(|known| *known == form).unwrap_or_else(|| {
            forms.push(form);
            forms.len() - 1
        });
        if number >= FORMS {
            return false;
        }
        bytes.push(number as u8 | (stayed.min(LONG) as u8) << 4);
        if stayed >= LONG {
            put(bytes, stayed - LONG);
        }
        true
    }

    /// Whether there are records of this code.
    pub fn has(&self, code: u32) -> bool {
        self.forms.iter().any(|form| form.code == code)
    }

    /// The entries; nothing if there are none.
    pub fn finish(self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.bytes.len() + 64);
        if self.forms.is_empty() {
            return all;
        }
        all.push(self.forms.len() as u8);
        for form in &self.forms {
            for number in [form.abbreviation, form.code, form.count, form.same.into()] {
                put(&mut all, number.into());
            }
        }
        all.extend_from_slice(&self.bytes);
        all
    }
}

/// Entries that are being read.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    forms: Vec<Form>,
    last: Box<Last>,
    rest: &'a [u8],
}

const DAMAGED: Error = Error { reason: Reason::Record, bit: 0 };

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        let last = Box::new([[0; FIELDS]; CODES]);
        let mut reader = Reader { forms: Vec::new(), last, rest: bytes };
        let count = match bytes.split_first() {
            None => 0,
            Some((&count, rest)) => {
                reader.rest = rest;
                usize::from(count)
            }
        };
        for _ in 0..count {
            let mut number = || u32::try_from(reader.number()?).map_err(|_| DAMAGED);
            let (abbreviation, code, count, same) = (number()?, number()?, number()?, number()?);
            if code as usize >= CODES || count as usize > FIELDS || same > 3 {
                return Err(DAMAGED);
            }
            reader.forms.push(Form { abbreviation, code, count, same: same as u8 });
        }
        Ok(reader)
    }

    fn number(&mut self) -> Result<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (&byte, rest) = self.rest.split_first().ok_or(DAMAGED)?;
            self.rest = rest;
            if shift > 63 {
                return Err(DAMAGED);
            }
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
            shift += 7;
        }
    }

    /// The next record, and how much has stayed in front of it. None at the end.
    pub fn next(&mut self) -> Result<Option<(u64, Note<'a>)>> {
        let Some((&head, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let form = *self.forms.get(usize::from(head & 15)).ok_or(DAMAGED)?;
        let mut stayed = u64::from(head >> 4);
        if stayed == LONG {
            stayed = stayed.checked_add(self.number()?).ok_or(DAMAGED)?;
        }
        let count = form.count as usize;
        let mut note = Note { abbreviation: form.abbreviation, code: form.code, count, ..Note::NONE };
        if note.is_block() {
            note.fields[0] = self.number()?;
            let length = self.number()?.checked_mul(4).and_then(|length| usize::try_from(length).ok());
            (note.words, self.rest) = self.rest.split_at_checked(length.ok_or(DAMAGED)?).ok_or(DAMAGED)?;
            return Ok(Some((stayed, note)));
        }
        let mut last = *self.last.get(form.code as usize).ok_or(DAMAGED)?;
        for (index, (field, last)) in note.fields.iter_mut().zip(&mut last).take(count).enumerate() {
            if !is_same(form.same, index) {
                let number = self.number()?;
                let sum = last.wrapping_add(unfold(number));
                *last = if is_difference(form.code, index) { sum } else { number };
            }
            *field = *last;
        }
        if let Some(known) = self.last.get_mut(form.code as usize) {
            *known = last;
        }
        Ok(Some((stayed, note)))
    }
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        bytes.push(value as u8 | 128);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let records: &[(u64, u32, u32, &[u64])] = &[
            (3, 3, LOCATION, &[10, 4, 7, 0, 0]),
            (1, 3, 33, &[]),
            (0, 3, LOCATION, &[9, 4, 7, 0, 0]),
            (14, 12, LOCATION, &[9, 80, 6, 0, 0]),
            (15, 3, LOCATION, &[9, u64::MAX, 6, 1, 1]),
            (1000, 3, LOCATION, &[0, 0, u64::MAX, 1, 1]),
            (1, 3, 63, &[1, 2, 3, 1 << 40]),
            (1, 3, 63, &[u64::MAX, 1, 0, 1 << 41]),
        ];
        let mut writer = Writer::new();
        for (stayed, abbreviation, code, fields) in records {
            assert!(writer.add(*stayed, *abbreviation, *code, fields));
        }
        assert!(writer.add_block(20, 15, 4, &[7; 12]));
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes).unwrap();
        for (stayed, abbreviation, code, fields) in records {
            let (found, note) = reader.next().unwrap().unwrap();
            assert_eq!((found, note.abbreviation, note.code), (*stayed, *abbreviation, *code));
            assert_eq!(note.fields(), *fields);
        }
        let (stayed, note) = reader.next().unwrap().unwrap();
        assert!(note.is_block());
        assert_eq!((stayed, note.code, note.fields(), note.words), (20, 15, &[4][..], &[7; 12][..]));
        assert!(reader.next().unwrap().is_none());
        // Cut off: an end or an error, and nothing else.
        for length in 0..bytes.len() {
            let Ok(mut reader) = Reader::new(&bytes[..length]) else { continue };
            while let Ok(Some(_)) = reader.next() {}
        }
        assert!(Writer::new().finish().is_empty());
    }

    #[test]
    fn forms_are_few() {
        let mut writer = Writer::new();
        let added = (0..40).take_while(|&abbreviation| writer.add(1, abbreviation, 33, &[])).count();
        assert_eq!(added, FORMS);
    }
}
