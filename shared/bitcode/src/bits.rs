//! A cursor over bits: fixed-width and variable-width numbers.
//!
//! Numbers are taken from an unaligned little-endian word, so that nothing is kept between reads but a position.

use crate::{Error, Reason, Result};

/// A position in the bits, and where they end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    bit: u64,
    /// The end of the block being read: never beyond the bytes.
    end: u64,
}

impl<'a> Cursor<'a> {
    /// A cursor over all of the bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, bit: 0, end: bytes.len() as u64 * 8 }
    }

    /// The same bits from another position on.
    pub fn at(bytes: &'a [u8], bit: u64) -> Self {
        Cursor { bit, ..Cursor::new(bytes) }
    }

    pub fn bit(&self) -> u64 {
        self.bit
    }

    /// Goes to another position.
    pub fn go(&mut self, bit: u64) {
        self.bit = bit;
    }

    /// The bytes from the one with this bit to that in front of the position.
    pub fn since(&self, bit: u64) -> &'a [u8] {
        self.bytes.get((bit / 8) as usize..self.bit.div_ceil(8) as usize).unwrap_or(&[])
    }

    pub fn end(&self) -> u64 {
        self.end
    }

    pub fn left(&self) -> u64 {
        self.end.saturating_sub(self.bit)
    }

    /// Moves the end closer.
    pub fn limit(&mut self, end: u64) -> Result<()> {
        if end > self.end || end < self.bit {
            return Err(self.error(Reason::Block));
        }
        self.end = end;
        Ok(())
    }

    #[cold]
    pub fn error(&self, reason: Reason) -> Error {
        Error { reason, bit: self.bit }
    }

    /// At least 57 bits from here on; zeros behind the last byte.
    #[inline(always)]
    fn word(&self) -> u64 {
        let byte = (self.bit >> 3) as usize;
        let word = match self.bytes.get(byte..byte.wrapping_add(8)) {
            Some(bytes) => u64::from_le_bytes(bytes.try_into().unwrap_or_default()),
            None => self.last_word(byte),
        };
        word >> (self.bit & 7)
    }

    #[cold]
    fn last_word(&self, byte: usize) -> u64 {
        let bytes = self.bytes.get(byte..).unwrap_or(&[]);
        bytes.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
    }

    /// Moves on. Beyond the end, everything read is worthless: see [`check`](Self::check).
    #[inline(always)]
    pub fn advance(&mut self, bits: u64) {
        self.bit = self.bit.saturating_add(bits);
    }

    /// Whether what was read since the last check was within the bits. Whatever is read must be checked before it is
    /// believed; one check for each record keeps single reads cheap.
    #[inline(always)]
    pub fn check(&self) -> Result<()> {
        if self.bit > self.end { Err(self.error(Reason::Truncated)) } else { Ok(()) }
    }

    /// A number of `width` bits, at most 64.
    #[inline(always)]
    pub fn fixed(&mut self, width: u32) -> u64 {
        let mut value = self.word();
        if width > 57 {
            let rest = Cursor { bit: self.bit.saturating_add(32), ..*self }.word();
            value = value & 0xffff_ffff | rest << 32;
        }
        self.advance(width.into());
        if width == 64 { value } else { value & ((1 << width) - 1) }
    }

    /// A number in chunks of `width` bits (2 to 32), whose highest says that another follows.
    #[inline(always)]
    pub fn vbr(&mut self, width: u32) -> u64 {
        let more = 1u64 << (width - 1);
        let word = self.word();
        if word & more == 0 {
            self.advance(width.into());
            return word & (more - 1);
        }
        self.vbr_long(width, word)
    }

    /// The same, if it is of more than one chunk.
    fn vbr_long(&mut self, width: u32, mut word: u64) -> u64 {
        let more = 1u64 << (width - 1);
        let mut value = 0;
        let mut shift = 0;
        loop {
            let mut taken = 0;
            while taken + width <= 57 {
                let chunk = word & (more - 1);
                // What does not fit into 64 bits is no number of LLVM's.
                if shift > 63 || chunk << shift >> shift != chunk {
                    self.bit = BEYOND;
                    return 0;
                }
                value |= chunk << shift;
                taken += width;
                if word & more == 0 {
                    self.advance(taken.into());
                    return value;
                }
                shift += width - 1;
                word >>= width;
            }
            self.advance(taken.into());
            word = self.word();
        }
    }

    /// To the next multiple of 32 bits.
    pub fn align(&mut self) {
        self.advance(self.bit.wrapping_neg() & 31);
    }

    /// So many bytes; the position is at one.
    pub fn bytes(&mut self, length: u64) -> Result<&'a [u8]> {
        let start = (self.bit >> 3) as usize;
        if length > self.left() / 8 {
            return Err(self.error(Reason::Truncated));
        }
        self.advance(length * 8);
        self.bytes.get(start..start + length as usize).ok_or(self.error(Reason::Truncated))
    }
}

/// Some bits ahead of a cursor, for records of many short fields: kept in registers, which is why nothing that is not
/// inlined takes it by reference.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    bytes: &'a [u8],
    word: u64,
    /// How many bits of the word are left.
    left: u32,
    bit: u64,
}

impl<'a> Window<'a> {
    #[inline(always)]
    pub fn new(cursor: &Cursor<'a>) -> Self {
        Window { bytes: cursor.bytes, word: cursor.word(), left: 57, bit: cursor.bit }
    }

    #[inline(always)]
    fn refill(&mut self) {
        self.word = Cursor { bytes: self.bytes, bit: self.bit, end: 0 }.word();
        self.left = 57;
    }

    #[inline(always)]
    fn take(&mut self, width: u32) {
        self.word >>= width;
        self.left -= width;
        self.bit = self.bit.wrapping_add(width.into());
    }

    /// A number of `width` bits, at most 57, which `mask` covers.
    #[inline(always)]
    pub fn fixed(&mut self, width: u32, mask: u64) -> u64 {
        if self.left < width {
            self.refill();
        }
        let value = self.word & mask;
        self.take(width);
        value
    }

    /// A number in chunks of `width` bits, of which `more` is the highest.
    #[inline(always)]
    pub fn vbr(&mut self, width: u32, more: u64) -> u64 {
        if self.left < width {
            self.refill();
        }
        let word = self.word;
        let value = word & (more - 1);
        self.take(width);
        if word & more == 0 {
            return value;
        }
        // Numbers of values have two to four chunks of six bits: these are put together without branches.
        const STOPS: u64 = 0x82_0820;
        let stops = !word & STOPS;
        if width == 6 && stops != 0 && self.left >= 18 {
            let bits = stops.trailing_zeros() + 1;
            let packed = word & 0x1f | word >> 1 & 0x3e0 | word >> 2 & 0x7c00 | word >> 3 & 0xf_8000;
            self.take(bits - width);
            return packed & ((1 << (bits - bits / 6)) - 1);
        }
        let (rest, bit) = rest_of_vbr(self.bytes, self.bit, width);
        self.bit = bit;
        self.refill();
        value | rest
    }

    /// Passes over so many bits.
    #[inline(always)]
    pub fn pass(&mut self, width: u32) {
        if width <= self.left {
            return self.take(width);
        }
        self.bit = self.bit.wrapping_add(width.into());
        self.refill();
    }

    /// Passes over a number in chunks of `width` bits (2 to 32).
    #[inline(always)]
    pub fn pass_vbr(&mut self, width: u32) {
        loop {
            let last = !self.word & CHUNKS[width as usize & 31] & ((1 << self.left) - 1);
            if last != 0 {
                return self.take(last.trailing_zeros() + 1);
            }
            // What is at hand is passed but for a part of a chunk. Behind the bytes there are zeros, which end any number.
            self.bit = self.bit.wrapping_add(u64::from(self.left - self.left % width));
            self.refill();
        }
    }

    /// Moves the cursor to where the window has come.
    #[inline(always)]
    pub fn done(self, cursor: &mut Cursor<'_>) {
        cursor.bit = self.bit;
    }
}

/// By the width of chunks, the highest bits of those that a window holds; that of 32 bits is at 0.
const CHUNKS: [u64; 32] = {
    let mut all = [1 << 31; 32];
    let mut width = 2;
    while width < 32 {
        let (mut bits, mut highest) = (0_u64, width - 1);
        while highest < 57 {
            bits |= 1 << highest;
            highest += width;
        }
        all[width] = bits;
        width += 1;
    }
    all
};

/// The chunks of a number behind the first, and where it ends.
#[inline(never)]
fn rest_of_vbr(bytes: &[u8], bit: u64, width: u32) -> (u64, u64) {
    let mut ahead = Cursor { bytes, bit, end: 0 };
    let rest = ahead.vbr(width);
    let shift = width - 1;
    if rest << shift >> shift == rest { (rest << shift, ahead.bit) } else { (0, BEYOND) }
}

/// A position behind all bytes, where a number that is none leaves the cursor.
const BEYOND: u64 = 1 << 62;

/// A signed number, whose sign is in the lowest bit.
pub(crate) const fn signed(encoded: u64) -> i64 {
    if encoded & 1 == 0 {
        (encoded >> 1) as i64
    } else if encoded != 1 {
        ((encoded >> 1) as i64).wrapping_neg()
    } else {
        i64::MIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passing_numbers_leads_to_where_reading_them_does() {
        let mut seed = 1_u64;
        let mut bytes = [0_u8; 96];
        for round in 0..2000 {
            for byte in &mut bytes {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                // Long numbers and short ones by turns.
                *byte = (seed >> 56) as u8 | if round % 3 == 0 { (seed >> 40) as u8 } else { 0 };
            }
            let start = Cursor::at(&bytes, seed >> 58);
            for width in 2..=32 {
                for count in 1..6 {
                    let mut read = start;
                    (0..count).for_each(|_| read.pass_slowly(width));
                    let mut window = Window::new(&start);
                    (0..count).for_each(|_| window.pass_vbr(width));
                    let mut passed = start;
                    window.done(&mut passed);
                    assert_eq!(passed.bit(), read.bit(), "{count} of {width} bits");
                }
            }
        }
    }

    impl Cursor<'_> {
        /// Passes over a number chunk by chunk.
        fn pass_slowly(&mut self, width: u32) {
            while self.fixed(width) >> (width - 1) == 1 {}
        }
    }

    #[test]
    fn numbers_of_each_width_are_read_at_each_bit() {
        let bytes: Vec<u8> = (0..40u32).map(|n| n.wrapping_mul(151) as u8 ^ 0x5a).collect();
        let bit = |n: u64| u64::from(bytes[n as usize / 8] >> (n % 8) & 1);
        for start in 0..64 {
            for width in 0..=64 {
                let mut cursor = Cursor::at(&bytes, start);
                let expected = (0..u64::from(width)).fold(0, |value, n| value | bit(start + n) << n);
                assert_eq!(cursor.fixed(width), expected, "{width} bits at {start}");
                assert_eq!(cursor.bit(), start + u64::from(width));
            }
        }
    }

    /// Writes a number as LLVM does.
    fn vbr(bits: &mut Vec<bool>, mut value: u64, width: u32) {
        let more = 1u64 << (width - 1);
        while value >= more {
            (0..width).for_each(|n| bits.push((value & (more - 1) | more) >> n & 1 != 0));
            value >>= width - 1;
        }
        (0..width).for_each(|n| bits.push(value >> n & 1 != 0));
    }

    fn pack(bits: &[bool]) -> Vec<u8> {
        bits.chunks(8)
            .map(|byte| byte.iter().enumerate().fold(0, |sum, (n, &bit)| sum | u8::from(bit) << n))
            .collect()
    }

    #[test]
    fn variable_numbers_are_read() {
        for width in 2..=32 {
            for value in [0, 1, 31, 32, 1 << 20, u64::from(u32::MAX), 1 << 63, u64::MAX] {
                let mut bits = vec![true; 3];
                vbr(&mut bits, value, width);
                let bytes = pack(&bits);
                let mut cursor = Cursor::at(&bytes, 3);
                assert_eq!(cursor.vbr(width), value, "{value:#x} in chunks of {width}");
                assert_eq!(cursor.bit(), bits.len() as u64);
            }
        }
    }

    #[test]
    fn the_end_is_kept() {
        let bytes = [0xff; 12];
        let after = |bit, read: fn(&mut Cursor<'_>) -> u64| {
            let mut cursor = Cursor::at(&bytes, bit);
            read(&mut cursor);
            cursor.check()
        };
        // A number without an end.
        assert!(after(0, |cursor| cursor.vbr(6)).is_err());
        assert!(after(90, |cursor| cursor.fixed(7)).is_err());
        assert!(after(90, |cursor| cursor.fixed(6)).is_ok());
        assert!(after(1 << 40, |cursor| cursor.fixed(1)).is_err());
        assert!(after(u64::MAX, |cursor| cursor.fixed(64)).is_err());
        assert!(Cursor::new(&bytes).bytes(13).is_err());
        let mut limited = Cursor::new(&bytes);
        assert!(limited.limit(32).is_ok());
        assert!(limited.limit(64).is_err());
        limited.fixed(33);
        assert!(limited.check().is_err());
    }

    #[test]
    fn signs_are_in_the_lowest_bit() {
        assert_eq!([0, 1, 2, 3, u64::MAX].map(signed), [0, i64::MIN, 1, -1, -i64::MAX]);
    }
}
