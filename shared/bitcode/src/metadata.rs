//! Metadata, as far as names and lines need it: locations, scopes and files.
//!
//! Nothing of it is read until [`Metadata::new`], which notes where each node begins; nodes are decoded when asked for.
//! Numbers are counted from 1, as in [`DebugLocation`]; 0 is none. A function's own nodes have the numbers behind the
//! module's, so they are known only after [`Metadata::enter`], and only for this function.

use crate::bits::Cursor;
use crate::stream::{Next, Reader, Record, block};
use crate::{BitcodeModule, DebugLocation, Error, FunctionBody, Reason, Result};

/// How many scopes are walked outwards at most.
const NESTING: u32 = 10_000;

/// What a scope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// A function.
    Subprogram,
    /// A block of a function, or a part of one that is in another file.
    Block,
    /// Anything else that contains functions: a file, a class, a namespace.
    Other,
}

/// A scope of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'m> {
    /// What it is.
    pub kind: ScopeKind,
    /// What it is in.
    pub parent: u32,
    /// Its file.
    pub file: u32,
    /// Where it begins.
    pub line: u32,
    /// Where a function's body begins.
    pub body_line: u32,
    /// The column in which a block begins.
    pub column: u32,
    /// A function's name.
    pub name: &'m [u8],
    /// A function's symbol, if it is another than its name.
    pub linkage_name: &'m [u8],
}

/// A file of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File<'m> {
    /// Its name, relative to the directory.
    pub name: &'m [u8],
    /// Its directory.
    pub directory: &'m [u8],
}

/// The metadata of a module, and of one of its functions.
#[derive(Debug)]
pub struct Metadata<'m> {
    module: &'m BitcodeModule<'m>,
    /// Of the module, if it has metadata; then of a function.
    levels: Vec<Level<'m>>,
    own: usize,
    record: Record,
}

/// What a number of metadata is.
#[derive(Debug)]
pub(crate) enum Entry<'r, 'm> {
    String(&'m [u8]),
    /// Code and fields.
    Node(u32, &'r [u64]),
}

/// A block of metadata: strings first, then nodes.
#[derive(Debug)]
struct Level<'m> {
    reader: Reader<'m, 'm>,
    /// The number of its first string, counted from 0.
    first: u32,
    /// Start and end of each string.
    strings: Vec<(u32, u32)>,
    characters: &'m [u8],
    /// Where each node begins.
    nodes: Vec<u64>,
}

impl<'m> Metadata<'m> {
    /// Notes where the nodes are of a module that was not cut.
    pub fn new(module: &'m BitcodeModule<'m>) -> Result<Metadata<'m>> {
        Self::of(module, module.metadata)
    }

    /// Notes where the nodes are of a module that was cut: `block` is [`Cut::metadata`](crate::Cut::metadata), empty if the
    /// module has none.
    pub fn of(module: &'m BitcodeModule<'m>, block: &'m [u8]) -> Result<Metadata<'m>> {
        let mut metadata = Metadata { module, levels: Vec::new(), own: 0, record: Record::default() };
        if !block.is_empty() {
            let mut outer = Reader::within(Cursor::new(block), module.width);
            if outer.next()? != Next::Block(block::METADATA) {
                return Err(outer.error(Reason::Structure));
            }
            let level = metadata.read(outer, 0)?;
            metadata.levels.push(level);
            metadata.own = 1;
        }
        Ok(metadata)
    }

    /// Notes where a function's own nodes are, and forgets those of another. The module was not cut.
    pub fn enter(&mut self, body: &FunctionBody) -> Result<()> {
        let block = if body.metadata == 0 { &[] } else { self.module.block(body.function)? };
        self.enter_block(body, block)
    }

    /// The same, for a body that was read from `block`.
    pub fn enter_block(&mut self, body: &FunctionBody, block: &'m [u8]) -> Result<()> {
        self.levels.truncate(self.own);
        if body.metadata != 0 {
            let first = self.levels.last().map_or(0, Level::end);
            let level = self.read(Reader::top(Cursor::at(block, body.metadata)), first)?;
            self.levels.push(level);
        }
        Ok(())
    }

    /// `outer` is in front of a block's header.
    fn read(&mut self, mut outer: Reader<'m, 'm>, first: u32) -> Result<Level<'m>> {
        let mut reader = outer.enter(block::METADATA, &self.module.info)?;
        let (mut strings, mut characters, mut nodes) = (Vec::new(), &[][..], Vec::new());
        loop {
            let bit = reader.cursor.bit();
            match reader.next()? {
                Next::End => break,
                Next::Block(_) => return Err(reader.error(Reason::Block)),
                Next::Record(abbreviation) => {
                    let head = reader.head(abbreviation)?;
                    match head.code {
                        35 if strings.is_empty() && nodes.is_empty() => {
                            let blob = reader.blob(head, &mut self.record)?;
                            let &[count, offset] = self.record.get(2) else {
                                return Err(reader.error(Reason::Metadata));
                            };
                            characters = strings_of(blob, count, offset, &mut strings)
                                .ok_or(reader.error(Reason::Metadata))?;
                        }
                        // Names, named nodes, attachments of globals, the index.
                        4 | 6 | 10 | 36 | 38 | 39 => reader.skip(head)?,
                        2 | 3 | 5 | 7 | 12..=34 | 37 | 40 | 41 | 44..=49 => {
                            // The abbreviation may have been defined in front of the record.
                            nodes.push(bit);
                            reader.skip(head)?;
                        }
                        _ => return Err(reader.error(Reason::UnknownRecord)),
                    }
                }
            }
        }
        if nodes.len() >= 1 << 30 {
            return Err(reader.error(Reason::TooLarge));
        }
        Ok(Level { reader, first, strings, characters, nodes })
    }

    fn failed(&self) -> Error {
        Error { reason: Reason::Metadata, bit: 0 }
    }

    /// Reads a node; gives its code and how many fields it has.
    fn node(&mut self, number: u32) -> Result<(u32, usize)> {
        let failed = self.failed();
        let index = number.checked_sub(1).ok_or(failed)?;
        let level =
            self.levels.iter_mut().find(|level| level.first <= index && index < level.end()).ok_or(failed)?;
        let node = (index - level.first) as usize;
        let bit =
            node.checked_sub(level.strings.len()).and_then(|node| level.nodes.get(node)).ok_or(failed)?;
        level.reader.go(*bit);
        let Next::Record(abbreviation) = level.reader.next_again()? else { return Err(failed) };
        let head = level.reader.head(abbreviation)?;
        let count = level.reader.fields(head, &mut self.record)?.len();
        Ok((head.code, count))
    }

    fn number(&self, count: usize, field: usize) -> Result<u32> {
        let field = self.record.get(count).get(field).copied().unwrap_or(0);
        u32::try_from(field).map_err(|_| self.failed())
    }

    /// A string by its number.
    fn string(&self, number: u32) -> Result<&'m [u8]> {
        let Some(index) = number.checked_sub(1) else { return Ok(&[]) };
        let level = self.levels.iter().find(|level| level.first <= index && index < level.end());
        let string = level.and_then(|level| {
            let &(start, end) = level.strings.get((index - level.first) as usize)?;
            level.characters.get(start as usize..end as usize)
        });
        string.ok_or(self.failed())
    }

    /// What a number of metadata is: a string, or the code and fields of a node.
    pub(crate) fn entry(&mut self, number: u32) -> Result<Entry<'_, 'm>> {
        let failed = self.failed();
        let index = number.checked_sub(1).ok_or(failed)?;
        let level = self.levels.iter().find(|level| level.first <= index && index < level.end());
        let level = level.ok_or(failed)?;
        if ((index - level.first) as usize) < level.strings.len() {
            return Ok(Entry::String(self.string(number)?));
        }
        let (code, count) = self.node(number)?;
        Ok(Entry::Node(code, self.record.get(count)))
    }

    /// Whether a number is that of a function's own metadata.
    pub(crate) fn is_own(&self, number: u32) -> bool {
        self.levels.get(self.own).is_some_and(|level| number > level.first)
    }

    /// A location, such as the one at which a scope was inlined.
    pub fn location(&mut self, number: u32) -> Result<DebugLocation> {
        let (code, count) = self.node(number)?;
        if code != 7 || count < 5 {
            return Err(self.failed());
        }
        let field = |index| self.number(count, index);
        Ok(DebugLocation {
            line: field(1)?,
            column: field(2)?,
            // A location always has a scope, which is counted from 0 here.
            scope: field(3)?.checked_add(1).ok_or(self.failed())?,
            inlined_at: field(4)?,
            implicit: field(5)? != 0,
        })
    }

    /// A scope.
    pub fn scope(&mut self, number: u32) -> Result<Scope<'m>> {
        let (code, count) = self.node(number)?;
        let field = |index| self.number(count, index);
        let other = Scope {
            kind: ScopeKind::Other,
            parent: 0,
            file: 0,
            line: 0,
            body_line: 0,
            column: 0,
            name: &[],
            linkage_name: &[],
        };
        Ok(match code {
            21 if count >= 18 => Scope {
                kind: ScopeKind::Subprogram,
                parent: field(1)?,
                file: field(4)?,
                line: field(5)?,
                body_line: field(7)?,
                column: 0,
                name: self.string(field(2)?)?,
                linkage_name: self.string(field(3)?)?,
            },
            22 if count >= 5 => Scope {
                kind: ScopeKind::Block,
                parent: field(1)?,
                file: field(2)?,
                line: field(3)?,
                column: field(4)?,
                ..other
            },
            23 if count >= 4 => Scope { kind: ScopeKind::Block, parent: field(1)?, file: field(2)?, ..other },
            21..=23 => return Err(self.failed()),
            16 => Scope { file: number, ..other },
            _ => other,
        })
    }

    /// The function that a scope is in.
    pub fn subprogram(&mut self, mut number: u32) -> Result<Scope<'m>> {
        // Damaged scopes may contain one another.
        for _ in 0..NESTING {
            let scope = self.scope(number)?;
            match scope.kind {
                ScopeKind::Subprogram => return Ok(scope),
                ScopeKind::Block => number = scope.parent,
                ScopeKind::Other => break,
            }
        }
        Err(self.failed())
    }

    /// A file.
    pub fn file(&mut self, number: u32) -> Result<File<'m>> {
        let (code, count) = self.node(number)?;
        if code != 16 || count < 3 {
            return Err(self.failed());
        }
        Ok(File {
            name: self.string(self.number(count, 1)?)?,
            directory: self.string(self.number(count, 2)?)?,
        })
    }
}

impl Level<'_> {
    /// The number behind its last node, counted from 0.
    fn end(&self) -> u32 {
        self.first.saturating_add((self.strings.len() + self.nodes.len()) as u32)
    }
}

/// Where the strings are in the characters, which begin at the offset; their lengths are in front of it.
fn strings_of<'m>(blob: &'m [u8], count: u64, offset: u64, into: &mut Vec<(u32, u32)>) -> Option<&'m [u8]> {
    let (lengths, characters) = blob.split_at_checked(usize::try_from(offset).ok()?)?;
    let mut cursor = Cursor::new(lengths);
    // A length has six bits at least.
    if count > cursor.left() / 6 {
        return None;
    }
    let mut end = 0u64;
    for _ in 0..count {
        let start = end;
        end = end.checked_add(cursor.vbr(6))?;
        if end > characters.len() as u64 || cursor.check().is_err() {
            return None;
        }
        into.push((u32::try_from(start).ok()?, u32::try_from(end).ok()?));
    }
    Some(characters)
}
