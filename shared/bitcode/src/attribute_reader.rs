//! Reads the blocks of attribute sets and lists.

use crate::attributes::{Attributes, Group, Stored};
use crate::stream::{Next, Reader, Record};
use crate::{AttributeKind, Reason, Result, TypeId, TypeTable};

type Read<T> = core::result::Result<T, Reason>;

/// Reads the block of sets.
pub(crate) fn groups(reader: &mut Reader<'_, '_>, types: &TypeTable, table: &mut Attributes) -> Result<()> {
    let mut record = Record::default();
    loop {
        match reader.next()? {
            Next::End => break,
            Next::Block(_) => return Err(reader.error(Reason::Block)),
            Next::Record(abbreviation) => {
                let head = reader.head(abbreviation)?;
                let record = reader.fields(head, &mut record)?;
                if head.code != 3 {
                    return Err(reader.error(Reason::UnknownRecord));
                }
                group(record, types, table).map_err(|reason| reader.error(reason))?;
            }
        }
    }
    table.groups.sort_by_key(|group| group.id);
    if table.groups.windows(2).any(|pair| pair[0].id == pair[1].id) {
        return Err(reader.error(Reason::Attribute));
    }
    Ok(())
}

/// Reads the block of lists.
pub(crate) fn lists(reader: &mut Reader<'_, '_>, table: &mut Attributes) -> Result<()> {
    let mut record = Record::default();
    loop {
        match reader.next()? {
            Next::End => return Ok(()),
            Next::Block(_) => return Err(reader.error(Reason::Block)),
            Next::Record(abbreviation) => {
                let head = reader.head(abbreviation)?;
                let record = reader.fields(head, &mut record)?;
                match head.code {
                    1 => return Err(reader.error(Reason::Unsupported)),
                    2 => {}
                    _ => return Err(reader.error(Reason::UnknownRecord)),
                }
                let start = table.members.len() as u32;
                for &id in record {
                    match table.groups.binary_search_by_key(&id, |group| group.id.into()) {
                        Ok(index) => table.members.push(index as u32),
                        Err(_) => return Err(reader.error(Reason::Attribute)),
                    }
                }
                table.lists.push((start, table.members.len() as u32));
            }
        }
    }
}

struct Fields<'r> {
    left: &'r [u64],
}

impl Fields<'_> {
    fn next(&mut self) -> Read<u64> {
        let (&first, rest) = self.left.split_first().ok_or(Reason::Record)?;
        self.left = rest;
        Ok(first)
    }

    fn kind(&mut self) -> Read<AttributeKind> {
        AttributeKind::from_encoded(self.next()?).ok_or(Reason::Attribute)
    }

    /// Characters up to a zero.
    fn string(&mut self, into: &mut Vec<u8>) -> Read<()> {
        loop {
            match u8::try_from(self.next()?) {
                Ok(0) => return Ok(()),
                Ok(character) => into.push(character),
                Err(_) => return Err(Reason::Attribute),
            }
        }
    }

    /// The bounds of a range, behind their width.
    fn range(&mut self, width: u64, into: &mut Vec<u64>) -> Read<()> {
        let mut words = 2;
        into.push(width);
        if width > 64 {
            let active = self.next()?;
            into.push(active);
            words = (active & 0xffff_ffff) + (active >> 32);
        }
        let words = usize::try_from(words).map_err(|_| Reason::Record)?;
        let (bounds, left) = self.left.split_at_checked(words).ok_or(Reason::Record)?;
        into.extend_from_slice(bounds);
        self.left = left;
        Ok(())
    }
}

/// The number of an attribute; that of `memory` has its version in the uppermost byte.
fn int(kind: AttributeKind, encoded: u64) -> Read<u64> {
    match (kind, encoded >> 56) {
        (AttributeKind::Memory, 1) => Ok(encoded & u64::MAX >> 8),
        // Before LLVM 21: arguments, inaccessible memory, and all else, of which errno is apart now.
        (AttributeKind::Memory, 0) if encoded < 1 << 6 => {
            let other = encoded >> 4;
            Ok(encoded & 0xf | other << 4 | other << 6)
        }
        (AttributeKind::Memory, _) => Err(Reason::Version),
        _ => Ok(encoded),
    }
}

fn group(record: &[u64], types: &TypeTable, table: &mut Attributes) -> Read<()> {
    let mut fields = Fields { left: record };
    let id = u32::try_from(fields.next()?).map_err(|_| Reason::Attribute)?;
    let index = u32::try_from(fields.next()?).map_err(|_| Reason::Attribute)?;
    let first = table.entries.len() as u32;
    let mut mask = 0;
    while !fields.left.is_empty() {
        let form = fields.next()?;
        if matches!(form, 3 | 4) {
            let start = table.strings.len() as u32;
            fields.string(&mut table.strings)?;
            let middle = table.strings.len() as u32;
            if form == 4 {
                fields.string(&mut table.strings)?;
            }
            table.entries.push(Stored::String(start, middle, table.strings.len() as u32));
            continue;
        }
        let kind = fields.kind()?;
        mask |= 1 << kind as u8;
        table.entries.push(match form {
            0 | 5 => Stored::Enum(kind),
            1 => Stored::Int(kind, int(kind, fields.next()?)?),
            6 => {
                let ty = fields.next()?;
                if ty >= types.len() as u64 {
                    return Err(Reason::Type);
                }
                Stored::Type(kind, TypeId(ty as u32))
            }
            7 => {
                let (width, start) = (fields.next()?, table.bounds.len() as u32);
                fields.range(width, &mut table.bounds)?;
                Stored::Range(kind, start, table.bounds.len() as u32)
            }
            8 => {
                let count = fields.next()?;
                let (width, start) = (fields.next()?, table.bounds.len() as u32);
                for _ in 0..count {
                    fields.range(width, &mut table.bounds)?;
                }
                Stored::Range(kind, start, table.bounds.len() as u32)
            }
            _ => return Err(Reason::Attribute),
        });
    }
    table.groups.push(Group { id, index, mask, first, end: table.entries.len() as u32 });
    Ok(())
}
