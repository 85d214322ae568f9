//! Writes bits: numbers as the bitstream has them, and runs of bits from elsewhere.

use crate::bits::Cursor;

/// Bits in the making, from the lowest of each byte.
#[derive(Debug, Default)]
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    /// The bits behind the bytes: fewer than 64.
    word: u64,
    filled: u32,
}

impl BitWriter {
    pub fn with_capacity(bytes: usize) -> Self {
        BitWriter { bytes: Vec::with_capacity(bytes), ..BitWriter::default() }
    }

    pub fn bit(&self) -> u64 {
        self.bytes.len() as u64 * 8 + u64::from(self.filled)
    }

    /// A number of `width` bits, at most 64, that has no others.
    #[inline(always)]
    pub fn fixed(&mut self, value: u64, width: u32) {
        self.word |= value << self.filled;
        let filled = self.filled + width;
        if filled < 64 {
            self.filled = filled;
            return;
        }
        self.bytes.extend_from_slice(&self.word.to_le_bytes());
        let written = 64 - self.filled;
        self.word = if written < 64 { value >> written } else { 0 };
        self.filled = filled - 64;
    }

    /// A number in chunks of `width` bits (2 to 32), whose highest says that another follows.
    pub fn vbr(&mut self, mut value: u64, width: u32) {
        let more = 1 << (width - 1);
        while value >= more {
            self.fixed(value & (more - 1) | more, width);
            value >>= width - 1;
        }
        self.fixed(value, width);
    }

    /// To the next multiple of 32 bits.
    pub fn align(&mut self) {
        let missing = self.bit().wrapping_neg() & 31;
        self.fixed(0, missing as u32);
    }

    /// Bits of `bytes`, of which those behind the end are zeros.
    pub fn copy(&mut self, bytes: &[u8], bits: core::ops::Range<u64>) {
        let mut cursor = Cursor::at(bytes, bits.start);
        let mut left = bits.end.saturating_sub(bits.start);
        while left > 0 {
            let width = left.min(56) as u32;
            let value = cursor.fixed(width);
            self.fixed(value, width);
            left -= u64::from(width);
        }
    }

    /// Replaces the 32 bits at a multiple of 32.
    pub fn patch(&mut self, bit: u64, value: u32) {
        self.flush();
        let at = (bit / 8) as usize;
        if let Some(bytes) = self.bytes.get_mut(at..at + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// Moves whole bytes out of the word.
    fn flush(&mut self) {
        let whole = (self.filled / 8) as usize;
        self.bytes.extend_from_slice(&self.word.to_le_bytes()[..whole]);
        self.word = self.word.checked_shr(whole as u32 * 8).unwrap_or(0);
        self.filled -= whole as u32 * 8;
    }

    /// Bytes, at a multiple of 8 bits.
    pub fn append(&mut self, bytes: &[u8]) {
        self.flush();
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes; what is missing of the last one is zeros.
    pub fn finish(mut self) -> Vec<u8> {
        self.fixed(0, self.filled.wrapping_neg() & 7);
        self.flush();
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for start in 0..64 {
            let mut writer = BitWriter::default();
            writer.fixed((1 << start) - 1, start);
            let numbers = [(5, 3), (u64::MAX, 64), (0, 1), (0xdead_beef, 32), (1, 57), (0, 0), (7, 3)];
            for (value, width) in numbers {
                writer.fixed(value, width);
            }
            for width in 2..=32 {
                for value in [0, 1, 31, 32, 1 << 20, u64::MAX] {
                    writer.vbr(value, width);
                }
            }
            writer.align();
            let patched = writer.bit();
            writer.fixed(0, 32);
            writer.fixed(1, 1);
            writer.patch(patched, 77);
            writer.fixed(2, 2);
            let end = writer.bit();
            let bytes = writer.finish();
            let mut cursor = Cursor::at(&bytes, start.into());
            for (value, width) in numbers {
                assert_eq!(cursor.fixed(width), value, "{width} bits from {start}");
            }
            for width in 2..=32 {
                for value in [0, 1, 31, 32, 1 << 20, u64::MAX] {
                    assert_eq!(cursor.vbr(width), value);
                }
            }
            cursor.align();
            assert_eq!((cursor.fixed(32), cursor.fixed(1), cursor.fixed(2)), (77, 1, 2));
            assert_eq!(cursor.bit(), end);
            let mut copy = BitWriter::default();
            copy.fixed(0, 5);
            copy.copy(&bytes, u64::from(start)..end);
            let copied = copy.finish();
            for bit in u64::from(start)..end {
                let (one, other) = (Cursor::at(&bytes, bit), Cursor::at(&copied, bit - u64::from(start) + 5));
                assert_eq!({ one }.fixed(1), { other }.fixed(1), "bit {bit}");
            }
        }
    }
}
