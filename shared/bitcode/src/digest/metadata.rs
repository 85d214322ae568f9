//! Metadata: nodes that are not for debuggers, and what has them attached.

use std::rc::Rc;

use super::part::{Part, Text};
use super::{Digester, Entity, UNKNOWN};
use crate::bits::Cursor;
use crate::metadata::Entry;
use crate::stream::{Next, Reader, Record, block};
use crate::{Error, FunctionBody, Reason, Result, Value};

/// Kinds that say nothing to an optimiser: where something is in the source.
const PASSED: [&[u8]; 3] = [b"dbg", b"srcloc", b"DIAssignID"];

/// The kind of locations, and of what functions are in the source, in all modules.
const LOCATION: u64 = 0;

/// What is attached to something: kind and node of each.
type Attachments = Vec<(u64, u32)>;

fn attachments(fields: &[u64]) -> Result<Attachments> {
    fields.chunks_exact(2).map(|pair| Ok((pair[0], node(pair[1])?))).collect()
}

/// A node's number, which is counted from 0 here.
fn node(number: u64) -> Result<u32> {
    number.checked_add(1).and_then(|number| u32::try_from(number).ok()).ok_or(UNKNOWN)
}

impl<'m> Digester<'m> {
    /// Reads the names of kinds.
    pub(super) fn read_kinds(&mut self) -> Result<()> {
        let Some((words, start)) = self.module.kinds else { return Ok(()) };
        let mut outer = Reader::within(Cursor::at(words, start), self.module.width);
        if outer.next()? != Next::Block(block::METADATA_KINDS) {
            return Err(UNKNOWN);
        }
        let mut reader = outer.enter(block::METADATA_KINDS, &self.module.info)?;
        let mut record = Record::default();
        while let Some((code, fields)) = next(&mut reader, &mut record)? {
            let (6, [kind, name @ ..]) = (code, fields) else { return Err(UNKNOWN) };
            self.kinds.insert(*kind, name.iter().map(|character| *character as u8).collect());
        }
        Ok(())
    }

    /// Reads what is attached to globals, and the module's flags.
    pub(super) fn read_module(&mut self) -> Result<()> {
        if self.module.metadata.is_empty() {
            return Ok(());
        }
        let mut outer = Reader::within(Cursor::new(self.module.metadata), self.module.width);
        if outer.next()? != Next::Block(block::METADATA) {
            return Err(UNKNOWN);
        }
        let mut reader = outer.enter(block::METADATA, &self.module.info)?;
        let mut record = Record::default();
        let mut named = Vec::new();
        loop {
            let abbreviation = match reader.next()? {
                Next::End => return Ok(()),
                Next::Block(_) => return Err(UNKNOWN),
                Next::Record(abbreviation) => abbreviation,
            };
            let head = reader.head(abbreviation)?;
            match head.code {
                4 => {
                    let fields = reader.fields(head, &mut record)?;
                    named = fields.iter().map(|character| *character as u8).collect();
                }
                10 => {
                    let fields = reader.fields(head, &mut record)?;
                    if named == b"llvm.module.flags" {
                        self.flags = fields.iter().map(|number| node(*number)).collect::<Result<_>>()?;
                    }
                }
                36 => {
                    let [global, rest @ ..] = reader.fields(head, &mut record)? else { return Err(UNKNOWN) };
                    let global = u32::try_from(*global).map_err(|_| UNKNOWN)?;
                    self.attached.insert(global, attachments(rest)?);
                }
                35 => {
                    reader.blob(head, &mut record)?;
                }
                _ => reader.skip(head)?,
            }
        }
    }

    /// What is attached to the instructions of a body, or, without a number, to its function.
    fn read_attachments(&self, body: &FunctionBody) -> Result<Vec<(Option<u64>, Attachments)>> {
        if body.attachments == 0 {
            return Ok(Vec::new());
        }
        let block = self.module.block(body.function)?;
        let mut outer = Reader::top(Cursor::at(block, body.attachments));
        let mut reader = outer.enter(block::METADATA_ATTACHMENT, &self.module.info)?;
        let mut record = Record::default();
        let mut all = Vec::new();
        while let Some((code, fields)) = next(&mut reader, &mut record)? {
            all.push(match (code, fields) {
                (11, fields) if fields.len() % 2 == 0 => (None, attachments(fields)?),
                (11, [instruction, rest @ ..]) => (Some(*instruction), attachments(rest)?),
                _ => return Err(UNKNOWN),
            });
        }
        Ok(all)
    }

    /// Says what is attached to a global.
    pub(super) fn say_attached(&mut self, global: u32, text: &mut Text) -> Result<()> {
        let attached = self.attached.get(&global).cloned().unwrap_or_default();
        self.say_attachments(&attached, text)
    }

    fn say_attachments(&mut self, attached: &[(u64, u32)], text: &mut Text) -> Result<()> {
        for (kind, node) in attached {
            let name = self.kinds.get(kind).ok_or(UNKNOWN)?;
            if !PASSED.contains(&&name[..]) {
                text.tag(1);
                text.string(name);
                self.say_node(*node, text)?;
            }
        }
        text.tag(0);
        Ok(())
    }

    /// Says what is attached within a body, and makes parts of the function's own metadata that was referred to. Returns the
    /// function in the source; 0 if it is not known.
    pub(super) fn say_metadata(&mut self, body: &FunctionBody, text: &mut Text) -> Result<u32> {
        let mut subprogram = 0;
        for (instruction, attached) in self.read_attachments(body)? {
            if instruction.is_none() {
                let location = attached.iter().find(|(kind, _)| *kind == LOCATION);
                subprogram = location.map_or(subprogram, |(_, node)| *node);
            }
            text.number(instruction.map_or(u64::MAX, |number| number));
            self.say_attachments(&attached, text)?;
        }
        // Nothing else leads to it, and it cannot be read again without the body.
        let mut left = text.refers().to_vec();
        while let Some(entity) = left.pop() {
            if let Entity::Own(_, node) = entity
                && let number = self.entities.number(entity)
                && self.entities.known(number).is_none()
            {
                let mut text = Text::default();
                self.read_node(node, Some(body), &mut text)?;
                left.extend_from_slice(text.refers());
                let part = self.entities.part(&text);
                self.entities.keep(number, Rc::new(part));
            }
        }
        Ok(subprogram)
    }

    /// Says which node it is; 0 is none.
    pub(super) fn say_node(&mut self, number: u32, text: &mut Text) -> Result<()> {
        if number == 0 {
            text.tag(b'0');
        } else {
            // Metadata is a function's own as long as no other one uses it, too.
            let is_own = self.metadata.is_own(number);
            text.tag(b'n');
            text.refer(if is_own { Entity::Own(self.body_of, number) } else { Entity::Node(number) });
        }
        Ok(())
    }

    pub(super) fn of_node(&mut self, number: u32) -> Result<Part> {
        let mut text = Text::default();
        self.read_node(number, None, &mut text)?;
        Ok(self.entities.part(&text))
    }

    /// Says what a node is, of the module, or of a function with this body.
    fn read_node(&mut self, number: u32, body: Option<&FunctionBody>, text: &mut Text) -> Result<()> {
        let (code, fields) = match self.metadata.entry(number)? {
            Entry::String(string) => {
                text.tag(b's');
                text.string(string);
                return Ok(());
            }
            Entry::Node(code, fields) => (code, fields.to_vec()),
        };
        let small = |field: u64| u32::try_from(field).map_err(|_| UNKNOWN);
        match (code, &fields[..]) {
            (2, [ty, value]) => {
                text.tag(b'v');
                text.wide(self.of_type(crate::TypeId(small(*ty)?))?);
                self.say_value(Value(small(*value)?), body, 0, text)?;
            }
            (3 | 5, operands) => {
                text.tag(if code == 3 { b'u' } else { b'd' });
                text.number(operands.len() as u64);
                for operand in operands {
                    self.say_node(small(*operand)?, text)?;
                }
            }
            // What is said for debuggers.
            (7 | 12..=34 | 37 | 40 | 41 | 44..=49, _) => text.tag(b'-'),
            _ => return Err(Error { reason: Reason::Metadata, bit: 0 }),
        }
        Ok(())
    }
}

/// The next record of a block without blocks in it; none at its end.
fn next<'r>(reader: &mut Reader<'_, '_>, record: &'r mut Record) -> Result<Option<(u32, &'r [u64])>> {
    match reader.next()? {
        Next::End => Ok(None),
        Next::Block(_) => Err(UNKNOWN),
        Next::Record(abbreviation) => {
            let head = reader.head(abbreviation)?;
            Ok(Some((head.code, reader.fields(head, record)?)))
        }
    }
}
