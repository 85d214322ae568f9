//! Cuts a module's bitcode into parts that can be kept apart: of its blocks only the lengths are looked at.
//!
//! A function's body can be read with nothing but the module's own blocks and the body's. So a module that is packed in parts
//! is entered without unpacking the bodies of other functions, or what describes them to debuggers.

use std::ops::Range;

use crate::module_reader::top;
use crate::stream::{Next, block};

/// Where the parts of a module are in its bitcode. Behind one another, without what is between them, they are bitcode, too:
/// the symbol table is left out, which only linkers read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// All in front of the metadata: types, attributes, globals, constants.
    pub head: Range<usize>,
    /// The block of the module's metadata.
    pub metadata: Range<usize>,
    /// What is between metadata and bodies.
    pub middle: Range<usize>,
    /// Where the block of each body begins, in the order of the bitcode.
    pub bodies: Vec<usize>,
    /// What is left of the module behind the bodies.
    pub tail: Range<usize>,
    /// The block of the string table.
    pub strings: Range<usize>,
}

/// Cuts the bitcode of one module. None if it cannot be cut: it is something else, or its blocks are in another order.
pub fn cut(bytes: &[u8]) -> Option<Cut> {
    let mut outer = top(bytes).ok()?;
    let mut module = None;
    let mut strings = None;
    while outer.cursor.left() >= 32 {
        let start = word(outer.cursor.bit())?;
        match outer.next().ok()? {
            Next::Block(block::MODULE) if module.is_none() => module = Some(blocks(&mut outer)?),
            Next::Block(block::STRINGS) if strings.is_none() && module.is_some() => {
                outer.skip_block().ok()?;
                strings = Some(start..word(outer.cursor.bit())?);
            }
            Next::Block(block::IDENTIFICATION) if module.is_none() => outer.skip_block().ok()?,
            Next::Block(block::SYMBOLS) => outer.skip_block().ok()?,
            _ => return None,
        }
    }
    Some(Cut { strings: strings?, ..module? })
}

/// Cuts the module's block, which comes next.
fn blocks(outer: &mut crate::stream::Reader<'_, '_>) -> Option<Cut> {
    let mut reader = outer.enter_plain().ok()?;
    let mut metadata = None;
    let (mut bodies, mut end) = (Vec::new(), None);
    loop {
        let start = reader.cursor.bit();
        match reader.next().ok()? {
            Next::End => break,
            Next::Block(block::METADATA) if metadata.is_none() && bodies.is_empty() => {
                reader.skip_block().ok()?;
                metadata = Some(word(start)?..word(reader.cursor.bit())?);
            }
            Next::Block(block::FUNCTION) => {
                reader.skip_block().ok()?;
                let start = word(start)?;
                // Nothing may be between bodies.
                if end.is_some_and(|end| end != start) {
                    return None;
                }
                bodies.push(start);
                end = Some(word(reader.cursor.bit())?);
            }
            Next::Block(_) => reader.skip_block().ok()?,
            Next::Record(abbreviation) => {
                let head = reader.head(abbreviation).ok()?;
                reader.skip(head).ok()?;
            }
        }
    }
    let (first, end) = (*bodies.first()?, end?);
    let metadata = metadata.unwrap_or(first..first);
    Some(Cut {
        head: 0..metadata.start,
        middle: metadata.end..first,
        metadata,
        bodies,
        tail: end..word(reader.cursor.bit())?,
        strings: 0..0,
    })
}

/// The byte at which this bit is the first of a word.
fn word(bit: u64) -> Option<usize> {
    bit.is_multiple_of(32).then(|| usize::try_from(bit / 8).ok()).flatten()
}
