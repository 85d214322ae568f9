//! The function's own read-only memory: constants, each kept once, and jump tables.

use std::collections::BTreeMap;

use crate::code::{Relocation, RelocationKind, RelocationTarget};

/// See the module's comment.
#[derive(Debug, Default)]
pub(crate) struct Rodata {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Relocations of jump tables.
    pub relocations: Vec<Relocation>,
    known: BTreeMap<(u128, u32), u32>,
}

impl Rodata {
    /// The alignment that the bytes need.
    pub(crate) const ALIGN: u32 = 16;

    /// Where a constant of 4, 8 or 16 bytes is.
    pub(crate) fn constant(&mut self, bits: u128, bytes: u32) -> u32 {
        let bytes = bytes.clamp(1, 16);
        if let Some(offset) = self.known.get(&(bits, bytes)) {
            return *offset;
        }
        let offset = self.align(bytes.next_power_of_two());
        self.bytes.extend_from_slice(&bits.to_le_bytes()[..bytes as usize]);
        self.known.insert((bits, bytes), offset);
        offset
    }

    /// Room for a table of this many distances, and where it is.
    pub(crate) fn table(&mut self, entries: u32) -> u32 {
        let offset = self.align(4);
        self.bytes.resize(self.bytes.len() + entries as usize * 4, 0);
        offset
    }

    /// Entry `index` of a table is the distance from the table to this offset of the code.
    pub(crate) fn set_entry(&mut self, table: u32, index: u32, to: u32) {
        let offset = table + index * 4;
        // S + A - P: P is that of the entry, the distance counts from the table.
        let addend = i64::from(to) + i64::from(index * 4);
        self.relocations.push(Relocation {
            offset,
            kind: RelocationKind::Pc32,
            target: RelocationTarget::Text,
            addend,
        });
    }

    fn align(&mut self, align: u32) -> u32 {
        self.bytes.resize(self.bytes.len().next_multiple_of(align as usize), 0);
        self.bytes.len() as u32
    }
}
