//! Where a frame of baseline code has what the rest of its function needs, at the header of one of its loops: what the
//! engine compiles a continuation from, which runs on in the place of the frame's own code (on-stack replacement).
//!
//! As bytes: the block, then 12 bytes for each location: value, kind, offset; numbers of 32 bits, little endian.

/// How the location of a value is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LocationKind {
    /// The value itself lies there: integers of up to 64 bits in the low bits of 8 bytes, everything else as LLVM would store
    /// it.
    Value = 0,
    /// The value is the address of this place: a static alloca, or an argument that was passed in memory (byval).
    Variable = 1,
}

/// Where something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// The arguments of the function, then its instructions that have a result, in the order of the bitcode.
    pub value: u32,
    /// What lies there.
    pub kind: LocationKind,
    /// Bytes from the address of the frame, which is the content of rbp.
    pub offset: i32,
}

/// See the module's comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackMap {
    /// The loop's header: the number of the block in the bitcode. Execution goes on behind its phis.
    pub block: u32,
    /// What is live there, each value once.
    pub locations: Vec<Location>,
}

/// Locations that a map may have. Functions with more are not worth their message.
pub const MOST_LOCATIONS: usize = 2048;

impl StackMap {
    /// Its bytes; none if there are too many locations.
    pub fn encode(&self) -> Option<Vec<u8>> {
        if self.locations.len() > MOST_LOCATIONS {
            return None;
        }
        let mut bytes = self.block.to_le_bytes().to_vec();
        for location in &self.locations {
            bytes.extend_from_slice(&location.value.to_le_bytes());
            bytes.extend_from_slice(&(location.kind as u32).to_le_bytes());
            bytes.extend_from_slice(&location.offset.to_le_bytes());
        }
        Some(bytes)
    }

    /// The map that the bytes stand for, if any.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (block, rest) = bytes.split_first_chunk::<4>()?;
        let (entries, rest) = rest.as_chunks::<12>();
        if !rest.is_empty() || entries.len() > MOST_LOCATIONS {
            return None;
        }
        let locations = entries.iter().map(|entry| {
            let word =
                |at: usize| u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]);
            let kind = match word(4) {
                0 => LocationKind::Value,
                1 => LocationKind::Variable,
                _ => return None,
            };
            Some(Location { value: word(0), kind, offset: word(8).cast_signed() })
        });
        Some(Self { block: u32::from_le_bytes(*block), locations: locations.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read_as_they_were_written() {
        let value = Location { value: 3, kind: LocationKind::Value, offset: -48 };
        let variable = Location { value: 7, kind: LocationKind::Variable, offset: 16 };
        let map = StackMap { block: 2, locations: vec![value, variable] };
        let bytes = map.encode().unwrap();
        assert_eq!(StackMap::decode(&bytes), Some(map));
        for cut in (0..bytes.len()).filter(|cut| *cut != 4 && *cut != 16) {
            assert_eq!(StackMap::decode(&bytes[..cut]), None, "cut at {cut}");
        }
        let mut foreign = bytes.clone();
        foreign[8] = 2;
        assert_eq!(StackMap::decode(&foreign), None);
        let many = StackMap { block: 0, locations: vec![value; MOST_LOCATIONS + 1] };
        assert_eq!(many.encode(), None);
    }
}
