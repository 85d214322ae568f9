//! Takes what is said for debuggers out of bodies, and puts it back.
//!
//! At -g every instruction has a record of its location, which only LLVM needs, and the reader of lines. [`split`] makes
//! bodies without these records and without their own metadata, which are bitcode as well, and [notes](crate::notes) of them; [`join`] makes the original of
//! both, bit for bit: lengths and positions of bodies in the module's other blocks stay right.

use crate::abbreviations::{Tail, vbr_length};
use crate::bit_writer::BitWriter;
use crate::bits::Cursor;
use crate::cut::Cut;
use crate::function::{LOCATION, LOCATION_AGAIN, RECORDS};
use crate::module_reader::top;
use crate::notes::{self, Note};
use crate::stream::{Info, Next, Reader, Record, UNABBREVIATED, block};
use crate::{Error, Reason, Result};

/// The bodies of a module without what is said for debuggers, and that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The blocks of the bodies, one behind the other.
    pub bodies: Vec<u8>,
    /// Where each of them begins.
    pub starts: Vec<usize>,
    /// What was taken out of them; empty if that is nothing.
    pub notes: Vec<u8>,
    /// Whether that has locations.
    pub located: bool,
}

/// Abbreviations of bodies, and the width of abbreviations in the module's block.
struct Outer {
    info: Info,
    width: u32,
}

impl Outer {
    fn of(head: &[u8]) -> Result<Self> {
        let mut top = top(head)?;
        let mut inner = loop {
            match top.next()? {
                Next::Block(block::IDENTIFICATION) => top.skip_block()?,
                Next::Block(block::MODULE) => break top.enter_beginning()?,
                _ => return Err(top.error(Reason::Structure)),
            }
        };
        let mut info = Info::default();
        while inner.cursor.left() > 0 {
            match inner.next()? {
                Next::End => return Err(inner.error(Reason::Structure)),
                Next::Block(block::INFO) => info.read(&mut inner)?,
                Next::Block(_) => inner.skip_block()?,
                Next::Record(abbreviation) => {
                    let head = inner.head(abbreviation)?;
                    inner.skip(head)?;
                }
            }
        }
        Ok(Self { info, width: inner.width() })
    }
}

/// Takes what is said for debuggers out of the bodies of a module that can be cut so. None if that cannot be done.
pub fn split(bytes: &[u8], cut: &Cut) -> Option<Split> {
    let outer = Outer::of(bytes.get(cut.head.clone())?).ok()?;
    let bodies = bytes.get(*cut.bodies.first()?..cut.tail.start)?;
    let mut splitter = Splitter {
        outer: &outer,
        out: BitWriter::with_capacity(bodies.len()),
        notes: notes::Writer::new(),
        stayed: 0,
        record: Record::default(),
    };
    let mut starts = Vec::with_capacity(cut.bodies.len());
    let mut reader = Reader::within(Cursor::new(bodies), outer.width);
    while reader.cursor.left() > 0 {
        starts.push((splitter.out.bit() / 8) as usize);
        splitter.body(bodies, &mut reader).ok()??;
    }
    let located = splitter.notes.has(LOCATION);
    Some(Split { bodies: splitter.out.finish(), starts, notes: splitter.notes.finish(), located })
}

struct Splitter<'o> {
    outer: &'o Outer,
    out: BitWriter,
    notes: notes::Writer,
    /// Records and blocks that have stayed since the last note.
    stayed: u64,
    record: Record,
}

impl Splitter<'_> {
    /// Copies the body that comes next, but for what is taken out. None if that cannot be noted.
    fn body<'a>(&mut self, bytes: &'a [u8], outer: &mut Reader<'a, '_>) -> Result<Option<()>> {
        let mut copy = Copy::enter(&mut self.out, bytes, outer, self.outer)?;
        let first = copy.from;
        // What would be written in another way stays, and so does what is in front of all else.
        let end = loop {
            let at = copy.reader.cursor.bit();
            match copy.reader.next()? {
                Next::End => break at,
                Next::Block(kind) => {
                    let (width, header, words) = copy.reader.skip_block_from()?;
                    let length = u64::from(copy.reader.width())
                        + vbr_length(kind.into(), 8)
                        + vbr_length(width.into(), 4);
                    if kind != block::METADATA || at == first || header - at != length {
                        copy.block(header, words);
                        self.stayed += 1;
                        continue;
                    }
                    let words = words / 8 + 4..copy.reader.cursor.bit() / 8;
                    let words = bytes.get(words.start as usize..words.end as usize).unwrap_or_default();
                    if !self.notes.add_block(self.stayed, kind, width, words) {
                        return Ok(None);
                    }
                    self.stayed = 0;
                    copy.leave_out(at);
                }
                Next::Record(abbreviation) => {
                    let head = copy.reader.head(abbreviation)?;
                    if !is_moved(head.code) {
                        copy.reader.skip(head)?;
                        self.stayed += 1;
                        continue;
                    }
                    let fields = copy.reader.fields(head, &mut self.record)?;
                    let length = length_of(&copy.reader, abbreviation, head.code, fields);
                    let is_same = length == Some(copy.reader.cursor.bit() - at);
                    if !is_same || at == first || fields.len() > notes::FIELDS {
                        self.stayed += 1;
                        continue;
                    }
                    if !self.notes.add(self.stayed, abbreviation, head.code, fields) {
                        return Ok(None);
                    }
                    self.stayed = 0;
                    copy.leave_out(at);
                }
            }
        };
        // Definitions of abbreviations may have been left out.
        if copy.reader.defines() {
            return Ok(None);
        }
        copy.end(end);
        Ok(Some(()))
    }
}

/// A body that is being copied.
struct Copy<'w, 'a, 'i> {
    out: &'w mut BitWriter,
    bytes: &'a [u8],
    reader: Reader<'a, 'i>,
    /// From where on it was not copied yet.
    from: u64,
    /// Where the length of the copy is to be.
    length: u64,
}

impl<'w, 'a, 'i> Copy<'w, 'a, 'i> {
    fn enter(
        out: &'w mut BitWriter,
        bytes: &'a [u8],
        parent: &mut Reader<'a, '_>,
        outer: &'i Outer,
    ) -> Result<Self> {
        let start = parent.cursor.bit();
        if parent.next()? != Next::Block(block::FUNCTION) {
            return Err(parent.error(Reason::Structure));
        }
        let reader = parent.enter(block::FUNCTION, &outer.info)?;
        let from = reader.cursor.bit();
        out.copy(bytes, start..from);
        let length = out.bit() - 32;
        Ok(Copy { out, bytes, reader, from, length })
    }

    /// Copies what was read, but for what begins at `at`.
    fn leave_out(&mut self, at: u64) {
        self.out.copy(self.bytes, self.from..at);
        self.from = self.reader.cursor.bit();
    }

    /// Copies what was read, at last a block: its header ends here, and its words, which lie at multiples of 32 bits, begin
    /// there.
    fn block(&mut self, header: u64, words: u64) {
        self.out.copy(self.bytes, self.from..header);
        self.out.align();
        self.from = self.reader.cursor.bit();
        self.out.copy(self.bytes, words..self.from);
    }

    /// Copies what is left, up to the end that has been read at `at`.
    fn end(self, at: u64) {
        self.out.copy(self.bytes, self.from..at + u64::from(self.reader.width()));
        self.out.align();
        let words = (self.out.bit() - self.length) / 32 - 1;
        self.out.patch(self.length, words as u32);
    }
}

/// Whether records of this code are taken out.
fn is_moved(code: u32) -> bool {
    matches!(code, LOCATION | LOCATION_AGAIN) || RECORDS.contains(&code)
}

/// The bits of a record, as it is written by [`write`]; None if it is not.
fn length_of(reader: &Reader<'_, '_>, abbreviation: u32, code: u32, fields: &[u64]) -> Option<u64> {
    let width = u64::from(reader.width());
    if abbreviation == UNABBREVIATED {
        let numbers = [code.into(), fields.len() as u64];
        return Some(width + numbers.iter().chain(fields).map(|number| vbr_length(*number, 6)).sum::<u64>());
    }
    let (known, Tail::None) = reader.known(abbreviation)? else { return None };
    let (first, known) = known.split_first()?;
    let lengths = known.iter().zip(fields).map(|(field, value)| field.length_of(*value));
    Some(width + first.length_of(code.into())? + lengths.sum::<Option<u64>>()?)
}

/// Writes a record into a block of this kind; None if it cannot be.
fn write(reader: &Reader<'_, '_>, note: &Note<'_>, out: &mut BitWriter) -> Option<()> {
    let width = reader.width();
    if u64::from(note.abbreviation) >> width != 0 {
        return None;
    }
    out.fixed(note.abbreviation.into(), width);
    if note.is_block() {
        out.vbr(note.code.into(), 8);
        out.vbr(note.fields[0], 4);
        out.align();
        out.fixed(u32::try_from(note.words.len() / 4).ok()?.into(), 32);
        out.append(note.words);
        return Some(());
    }
    if note.abbreviation == UNABBREVIATED {
        let numbers = [note.code.into(), note.count as u64];
        numbers.iter().chain(note.fields()).for_each(|number| out.vbr(*number, 6));
        return Some(());
    }
    let (known, Tail::None) = reader.known(note.abbreviation)? else { return None };
    let (first, known) = known.split_first()?;
    first.write(note.code.into(), out)?;
    if known.len() != note.count {
        return None;
    }
    known.iter().zip(note.fields()).try_for_each(|(field, value)| field.write(*value, out))
}

/// Puts back what was taken out of the bodies of a module. `groups` are the bodies, `front` and `back` what is in front of
/// and behind them.
///
/// # Errors
/// They do not belong to one another, or are damaged.
pub fn join(front: [&[u8]; 3], groups: &[&[u8]], notes: &[u8], back: [&[u8]; 2]) -> Result<Vec<u8>> {
    let outer = Outer::of(front[0])?;
    let lengths = |parts: &[&[u8]]| parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = BitWriter::with_capacity(lengths(&front) + lengths(groups) * 2 + lengths(&back));
    front.iter().for_each(|part| out.append(part));
    let mut notes = notes::Reader::new(notes)?;
    let mut due = notes.next()?;
    for group in groups {
        let mut reader = Reader::within(Cursor::new(group), outer.width);
        while reader.cursor.left() > 0 {
            let copy = Copy::enter(&mut out, group, &mut reader, &outer)?;
            put_back(copy, &mut notes, &mut due)?;
        }
    }
    if due.is_some() {
        return Err(Error { reason: Reason::Structure, bit: 0 });
    }
    back.iter().for_each(|part| out.append(part));
    Ok(out.finish())
}

/// Copies a body, with the records of which there are notes.
fn put_back<'n>(
    mut copy: Copy<'_, '_, '_>,
    notes: &mut notes::Reader<'n>,
    due: &mut Option<(u64, Note<'n>)>,
) -> Result<()> {
    let end = loop {
        let at = copy.reader.cursor.bit();
        match copy.reader.next()? {
            Next::End => break at,
            Next::Block(_) => {
                let (_, header, words) = copy.reader.skip_block_from()?;
                copy.block(header, words);
            }
            Next::Record(abbreviation) => {
                let head = copy.reader.head(abbreviation)?;
                copy.reader.skip(head)?;
            }
        }
        if let Some((left, _)) = due {
            *left = left.checked_sub(1).ok_or(copy.reader.error(Reason::Structure))?;
        }
        while let Some((0, note)) = due {
            copy.leave_out(copy.reader.cursor.bit());
            write(&copy.reader, note, copy.out).ok_or(copy.reader.error(Reason::Abbreviation))?;
            *due = notes.next()?;
        }
    };
    copy.end(end);
    Ok(())
}
