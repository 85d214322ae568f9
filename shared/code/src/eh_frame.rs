//! Reads the index out of a relocated `.eh_frame`: which addresses each FDE covers. Also makes the few bytes of
//! `.eh_frame` that code of our own making needs.
//!
//! Formats: System V ABI (LSB core, chapter 10.6), DWARF 5 section 6.4.1.

use std::ops::Range;

/// One frame description entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fde {
    /// The first address it covers.
    pub start: usize,
    /// The first behind it.
    pub end: usize,
    /// Its own address.
    pub fde: usize,
}

/// The same in few bytes, of which there are many: relative to the code, and to the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub start: u32,
    pub end: u32,
    pub fde: u32,
}

/// Bytes of a packed entry.
pub const ENTRY: usize = 12;

impl Entry {
    /// Of code that begins at `text`, with frames at `frames`, both smaller than 4 GiB.
    pub fn of(fde: &Fde, text: usize, frames: usize) -> Self {
        let relative = |address: usize, base: usize| (address - base) as u32;
        Self {
            start: relative(fde.start, text),
            end: relative(fde.end, text),
            fde: relative(fde.fde, frames),
        }
    }

    /// What it stands for.
    pub fn at(self, text: usize, frames: usize) -> Fde {
        let absolute = |offset: u32, base: usize| base + offset as usize;
        Fde {
            start: absolute(self.start, text),
            end: absolute(self.end, text),
            fde: absolute(self.fde, frames),
        }
    }

    /// As three numbers, little endian.
    pub fn packed(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        for (word, number) in bytes.as_chunks_mut().0.iter_mut().zip([self.start, self.end, self.fde]) {
            *word = number.to_le_bytes();
        }
        bytes
    }

    /// What [`packed`](Self::packed) gave.
    pub fn unpacked(bytes: &[u8; ENTRY]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
        let number = u32::from_le_bytes;
        Self { start: number([a, b, c, d]), end: number([e, f, g, h]), fde: number([i, j, k, l]) }
    }
}

/// What says which entries cover code: of frames in memory, or in a file that stays mapped, of which little is ever read.
#[derive(Clone, Debug)]
pub enum FrameIndex {
    /// In memory.
    Made(Vec<Entry>),
    /// Packed.
    Mapped(&'static [[u8; ENTRY]]),
}

impl Default for FrameIndex {
    fn default() -> Self {
        Self::Made(Vec::new())
    }
}

impl FrameIndex {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Made(all) => all.len(),
            Self::Mapped(all) => all.len(),
        }
    }

    /// The entry of this number.
    fn at(&self, number: usize) -> Entry {
        match self {
            Self::Made(all) => all[number],
            Self::Mapped(all) => Entry::unpacked(&all[number]),
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Entry> {
        (0..self.len()).map(|number| self.at(number))
    }

    /// The last one that begins at or before an offset in the code.
    pub fn before(&self, offset: usize) -> Option<Entry> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle).start as usize <= offset { low = middle + 1 } else { high = middle }
        }
        Some(self.at(low.checked_sub(1)?))
    }
}

/// Whether `bytes` are packed entries, sorted, for code and frames of these lengths.
pub fn is_index(bytes: &[u8], text: usize, frames: usize) -> bool {
    let (entries, rest) = bytes.as_chunks();
    let mut end = 0;
    let good = |entry: &[u8; ENTRY]| {
        let entry = Entry::unpacked(entry);
        let follows = end <= entry.start && entry.start < entry.end;
        end = entry.end;
        follows && entry.end as usize <= text && (entry.fde as usize) < frames
    };
    rest.is_empty() && entries.iter().all(good)
}

// Pointer encodings (DW_EH_PE_*): the low half is the format, the high half what it is relative to.
const ABSPTR: u8 = 0x00;
const UDATA2: u8 = 0x02;
const UDATA4: u8 = 0x03;
const UDATA8: u8 = 0x04;
const SDATA2: u8 = 0x0a;
const SDATA4: u8 = 0x0b;
const SDATA8: u8 = 0x0c;
const PCREL: u8 = 0x10;
const DATAREL: u8 = 0x30;
const INDIRECT: u8 = 0x80;

/// Reads from a slice with checks. All methods return None at the end of the data.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let value = self.bytes.get(self.at..self.at.checked_add(N)?)?.try_into().ok()?;
        self.at += N;
        Some(value)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take::<1>().map(|b| b[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    /// An unsigned LEB128 number; what exceeds 64 bits is lost.
    fn uleb(&mut self) -> Option<u64> {
        let mut value = 0u64;
        let mut shift = 0u32;
        loop {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            shift = shift.saturating_add(7);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let len = rest.iter().position(|b| *b == 0)?;
        self.at += len + 1;
        Some(&rest[..len])
    }

    /// A number in the format of a pointer encoding.
    fn number(&mut self, format: u8) -> Option<i64> {
        Some(match format & 0x0f {
            ABSPTR | UDATA8 | SDATA8 => i64::from_le_bytes(self.take()?),
            UDATA4 => self.u32()?.into(),
            SDATA4 => i32::from_le_bytes(self.take()?).into(),
            UDATA2 => u16::from_le_bytes(self.take()?).into(),
            SDATA2 => i16::from_le_bytes(self.take()?).into(),
            _ => return None,
        })
    }
}

/// The FDEs in `bytes`, a relocated `.eh_frame` that the code sees at `address`, sorted by start. Entries of length
/// zero are left out. An error says what is wrong; entries that overlap or reach out of `text` are errors.
pub fn index(bytes: &[u8], address: usize, text: &Range<usize>) -> Result<Vec<Fde>, &'static str> {
    let mut fdes = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (fde, next) = entry(bytes, address, at)?;
        if fde.is_some_and(|fde| fde.start < text.start || fde.end > text.end) {
            return Err("an FDE that covers something outside the object's code");
        }
        fdes.extend(fde.filter(|fde| fde.start != fde.end));
        at = next;
    }
    fdes.sort_unstable_by_key(|fde| fde.start);
    if fdes.windows(2).any(|pair| pair[1].start < pair[0].end) {
        return Err("FDEs that overlap");
    }
    Ok(fdes)
}

/// The entry at `at` of `bytes`, which the code sees at `address`, if it is an FDE, and where the next one begins.
fn entry(bytes: &[u8], address: usize, at: usize) -> Result<(Option<Fde>, usize), &'static str> {
    let mut reader = Reader { bytes, at };
    let len = reader.u32().ok_or("a cut-off length")?;
    if len == 0 {
        // A terminator.
        return Ok((None, reader.at));
    }
    if len == u32::MAX {
        return Err("an entry in the 64-bit format");
    }
    let next = reader.at.checked_add(len as usize).filter(|next| *next <= bytes.len());
    let next = next.ok_or("an entry that is longer than the section")?;
    let mut entry = Reader { bytes: &bytes[..next], at: reader.at };
    let pointer_at = entry.at;
    let cie_offset = entry.u32().ok_or("a cut-off entry")?;
    if cie_offset == 0 {
        return Ok((None, next));
    }
    let cie = pointer_at.checked_sub(cie_offset as usize).ok_or("an FDE whose CIE is outside")?;
    let encoding = fde_encoding(bytes, cie).ok_or("a CIE of an unknown form")?;
    let start_at = entry.at;
    let start = entry.number(encoding).ok_or("an FDE of an unknown form")? as usize;
    let start = match encoding & 0xf0 {
        0 => start,
        PCREL => address.wrapping_add(start_at).wrapping_add(start),
        _ => return Err("an FDE with an unknown base"),
    };
    let len = entry.number(encoding).ok_or("an FDE of an unknown form")? as usize;
    let end = start.checked_add(len).ok_or("an FDE that covers too much")?;
    Ok((Some(Fde { start, end, fde: address + at }), next))
}

/// Where the only FDE is that can cover `pc`, by the table in `header`, an `.eh_frame_hdr` that the code sees at
/// `address`; none if it has no table, or one of another form than linkers make.
pub fn candidate(header: &[u8], address: usize, pc: usize) -> Option<usize> {
    let mut reader = Reader { bytes: header, at: 0 };
    let [version, frames, count, table] = reader.take()?;
    if (version, count, table) != (1, UDATA4, DATAREL | SDATA4) {
        return None;
    }
    // Where .eh_frame begins, which the table knows better.
    reader.number(frames)?;
    let count = reader.u32()? as usize;
    let rows = header.get(reader.at..)?.as_chunks().0.get(..count)?;
    let field = |row: &[u8; 8], at: usize| {
        let distance = Reader { bytes: row, at }.number(SDATA4).unwrap_or(0);
        address.wrapping_add_signed(distance as isize)
    };
    let behind = rows.partition_point(|row| field(row, 0) <= pc);
    Some(field(rows.get(behind.checked_sub(1)?)?, 4))
}

/// The FDE at `fde`, if it covers `pc`. `bytes`, which the code sees at `address`, have it and its CIE in them.
pub fn covering(bytes: &[u8], address: usize, fde: usize, pc: usize) -> Option<Fde> {
    let (fde, _) = entry(bytes, address, fde.checked_sub(address)?).ok()?;
    fde.filter(|fde| (fde.start..fde.end).contains(&pc))
}

/// Moves `bytes`, a relocated `.eh_frame` that the code sees at `from`, to where the code sees it at `to`. Of pointers,
/// only those to code follow: it is for readers that unwind.
pub fn shift(bytes: &mut [u8], from: usize, to: usize) -> Result<(), &'static str> {
    for Fde { start, fde, .. } in index(bytes, from, &(0..usize::MAX))? {
        let at = fde - from + START;
        let field = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut).ok_or("a cut-off entry")?;
        let pointer = |base: usize| i32::try_from(start.wrapping_sub(base.wrapping_add(at)) as i64);
        if pointer(from) != Ok(i32::from_le_bytes(*field)) {
            return Err("an FDE of an unknown form");
        }
        *field = pointer(to).map_err(|_| "an FDE that is too far from its code")?.to_le_bytes();
    }
    Ok(())
}

/// Where an FDE says where its code is: behind its length and the distance to its CIE.
const START: usize = 8;

/// The pointer encoding of the FDEs of the CIE at `at`.
fn fde_encoding(bytes: &[u8], at: usize) -> Option<u8> {
    let mut reader = Reader { bytes, at };
    let len = reader.u32().filter(|len| *len != u32::MAX)?;
    let end = reader.at.checked_add(len as usize).filter(|end| *end <= bytes.len())?;
    let mut cie = Reader { bytes: &bytes[..end], at: reader.at };
    if cie.u32()? != 0 {
        return None;
    }
    let version = cie.u8().filter(|version| matches!(version, 1 | 3))?;
    let augmentation = cie.string()?;
    let Some((b'z', letters)) = augmentation.split_first() else {
        return augmentation.is_empty().then_some(ABSPTR);
    };
    let _code_alignment = cie.uleb()?;
    // Signed, but only its length matters.
    let _data_alignment = cie.uleb()?;
    let _return_register = if version == 1 { cie.u8()?.into() } else { cie.uleb()? };
    let _augmentation_len = cie.uleb()?;
    let mut encoding = ABSPTR;
    for letter in letters {
        match letter {
            b'R' => encoding = cie.u8()?,
            b'P' => {
                let format = cie.u8()?;
                cie.number(format)?;
            }
            b'L' => drop(cie.u8()?),
            b'S' | b'B' => {}
            _ => return None,
        }
    }
    Some(encoding)
}

/// Bytes of [`plain_frame`].
pub const PLAIN_FRAME_LEN: usize = CIE.len() + 24;

/// Where the FDE is in [`plain_frame`].
pub const PLAIN_FDE: usize = CIE.len();

/// The CIE of code that neither moves the stack pointer nor saves registers.
const CIE: [u8; 24] = [
    20,
    0,
    0,
    0, //          length
    0,
    0,
    0,
    0, //           CIE
    1, //                    version
    b'z',
    b'R',
    0,              //        augmentation
    1,              //                 code alignment factor
    0x78,           //                 data alignment factor -8
    16,             //                 return address register: rip
    1,              //                 augmentation data
    PCREL | SDATA4, //       R: the pointers of FDEs
    0x0c,
    7,
    8, //           DW_CFA_def_cfa rsp+8
    0x90,
    1, //              DW_CFA_offset rip at CFA-8
    0,
    0, //                 DW_CFA_nop
];

/// A CIE and one FDE for the code `text`, which leaves the stack as at its entry all the time. `address` is where the
/// bytes will lie, within ±2 GiB of the code.
pub fn plain_frame(address: usize, text: &Range<usize>) -> [u8; PLAIN_FRAME_LEN] {
    let mut frame = [0; PLAIN_FRAME_LEN];
    let (cie, fde) = frame.split_at_mut(CIE.len());
    cie.copy_from_slice(&CIE);
    let start_at = address + CIE.len() + 8;
    fde[0..4].copy_from_slice(&20u32.to_le_bytes());
    fde[4..8].copy_from_slice(&(CIE.len() as u32 + 4).to_le_bytes());
    fde[8..12].copy_from_slice(&(text.start.wrapping_sub(start_at) as i32).to_le_bytes());
    fde[12..16].copy_from_slice(&(text.len() as u32).to_le_bytes());
    // Augmentation length 0, then DW_CFA_nop up to the end.
    frame
}

/// A CIE and FDEs for pieces of code anywhere that leave the stack as at their entry; nothing if there are none. Addresses are
/// absolute.
pub fn distant_frames(pieces: impl Iterator<Item = Range<usize>>) -> Vec<u8> {
    // Length, CIE, version, no augmentation, alignment factors 1 and -8, rip; DW_CFA_def_cfa rsp+8, DW_CFA_offset rip at
    // CFA-8; DW_CFA_nop up to the end.
    let cie = [20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0, 0, 0, 0, 0, 0];
    let mut frames = Vec::new();
    for piece in pieces {
        if frames.is_empty() {
            frames.extend_from_slice(&cie);
        }
        frames.extend_from_slice(&20u32.to_le_bytes());
        // How far the CIE is in front of this.
        frames.extend_from_slice(&(frames.len() as u32).to_le_bytes());
        frames.extend_from_slice(&piece.start.to_le_bytes());
        frames.extend_from_slice(&piece.len().to_le_bytes());
    }
    frames
}

/// Where an FDE has the address of its code, from its first byte; four bytes, relative to themselves.
pub const FDE_START: u32 = 8;
/// Where it has that of its language-specific data, if it has any.
pub const FDE_LSDA: u32 = 17;

/// A CIE for code that is entered with the CFA at rsp+8. With a `personality`, also where the distance to the GOT entry
/// with that routine's address belongs, and its FDEs have language-specific data.
pub fn cie(personality: bool) -> (Vec<u8>, Option<u32>) {
    if !personality {
        return (CIE.to_vec(), None);
    }
    let mut bytes = vec![0; 8];
    bytes.push(1); //                                       version
    bytes.extend_from_slice(b"zPLR\0");
    bytes.extend_from_slice(&[1, 0x78, 16]); //              code and data alignment factors, rip
    bytes.extend_from_slice(&[7, INDIRECT | PCREL | SDATA4, 0, 0, 0, 0]); // augmentation data: P,
    let entry = bytes.len() as u32 - 4;
    bytes.extend_from_slice(&[PCREL | SDATA4, PCREL | SDATA4]); //         L, R
    bytes.extend_from_slice(&[0x0c, 7, 8, 0x90, 1]); //      DW_CFA_def_cfa rsp+8, DW_CFA_offset rip at CFA-8
    (sized(bytes), Some(entry))
}

/// An FDE `distance` bytes behind its CIE, for `size` bytes of code, whose address is still to come, as is that of its
/// language-specific data if it has an `lsda`.
pub fn fde(distance: u32, size: u32, instructions: &[u8], lsda: bool) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend_from_slice(&(distance + 4).to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&size.to_le_bytes());
    bytes.push(if lsda { 4 } else { 0 });
    if lsda {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(instructions);
    sized(bytes)
}

/// An entry with its length, padded with DW_CFA_nop.
fn sized(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    let length = bytes.len() as u32 - 4;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: Range<usize> = 0x10000..0x10100;

    #[test]
    fn frames_that_move_stay_those_of_their_code() {
        let mut frames = plain_frame(0x20000, &TEXT);
        assert_eq!(shift(&mut frames, 0x20000, 0x30008), Ok(()));
        assert_eq!(frames, plain_frame(0x30008, &TEXT));
        assert!(shift(&mut frames, 0x30008, 1 << 40).is_err(), "too far");
    }

    #[test]
    fn own_frames_are_found() {
        let address = 0x20000;
        let mut bytes = plain_frame(address, &TEXT).to_vec();
        bytes.extend([0; 4]);
        let fde = Fde { start: TEXT.start, end: TEXT.end, fde: address + CIE.len() };
        assert_eq!(index(&bytes, address, &TEXT), Ok(vec![fde]));
    }

    #[test]
    fn tables_of_linkers_lead_to_frames() {
        // Two functions with a gap between them, as a linker lays them out.
        let (header_at, frames_at) = (0x20000_usize, 0x21000_usize);
        let second = 0x10200..0x10240;
        let mut frames = plain_frame(frames_at, &TEXT).to_vec();
        let second_at = frames_at + frames.len();
        frames.extend(plain_frame(second_at, &second));
        let fdes = [frames_at + PLAIN_FDE, second_at + PLAIN_FDE];
        let mut header = vec![1, PCREL | SDATA4, UDATA4, DATAREL | SDATA4];
        for number in [(frames_at - header_at - 4) as i32, 2] {
            header.extend(number.to_le_bytes());
        }
        for (start, fde) in [TEXT.start, second.start].into_iter().zip(fdes) {
            header
                .extend([start, fde].into_iter().flat_map(|at| (at as i32 - header_at as i32).to_le_bytes()));
        }
        let find = |pc| {
            let fde = candidate(&header, header_at, pc)?;
            covering(&frames, frames_at, fde, pc)
        };
        let first = Fde { start: TEXT.start, end: TEXT.end, fde: fdes[0] };
        let other = Fde { start: second.start, end: second.end, fde: fdes[1] };
        for (pc, found) in [
            (TEXT.start - 1, None),
            (TEXT.start, Some(first)),
            (TEXT.end - 1, Some(first)),
            (TEXT.end, None),
            (second.start - 1, None),
            (second.start, Some(other)),
            (second.end - 1, Some(other)),
            (second.end, None),
        ] {
            assert_eq!(find(pc), found, "{pc:#x}");
        }
        for len in 0..header.len() {
            assert_eq!(candidate(&header[..len], header_at, second.start), None, "{len}");
        }
        // Without a table to search in.
        header[2] = 0xff;
        assert_eq!(candidate(&header, header_at, TEXT.start), None);
    }

    #[test]
    fn distant_frames_are_found() {
        assert_eq!(distant_frames(std::iter::empty()), Vec::<u8>::new());
        let distant = 1usize << 40;
        let all = 0..usize::MAX;
        let mut frames = distant_frames([TEXT, distant..distant + 14].into_iter());
        frames.extend([0; 4]);
        let found = index(&frames, 0x20000, &all).expect("they are well formed");
        let ranges: Vec<_> = found.iter().map(|fde| fde.start..fde.end).collect();
        assert_eq!(ranges, [TEXT, distant..distant + 14]);
    }

    #[test]
    fn frames_in_the_making_are_read_back() {
        for personality in [false, true] {
            let (mut bytes, entry) = cie(personality);
            assert_eq!(entry.is_some(), personality);
            let at = bytes.len();
            let frame = fde(at as u32, 0x40, &[0x41, 0x0e, 16], personality);
            assert_eq!(frame.len() % 8, 0);
            bytes.extend_from_slice(&frame);
            let address = 0x20000;
            let start = at + FDE_START as usize;
            let distance = (TEXT.start as i32).wrapping_sub((address + start) as i32);
            bytes[start..start + 4].copy_from_slice(&distance.to_le_bytes());
            if personality {
                // Language-specific data has its place in front of the instructions.
                assert_eq!(&frame[FDE_LSDA as usize - 1..FDE_LSDA as usize + 5], [4, 0, 0, 0, 0, 0x41]);
            }
            let expected = Fde { start: TEXT.start, end: TEXT.start + 0x40, fde: address + at };
            assert_eq!(index(&bytes, address, &TEXT), Ok(vec![expected]));
        }
    }

    #[test]
    fn cut_and_flipped_frames_are_refused_or_read() {
        let bytes = plain_frame(0x20000, &TEXT);
        for len in 1..bytes.len() {
            // Cut behind the CIE there is a whole section without an FDE.
            assert_eq!(index(&bytes[..len], 0x20000, &TEXT).is_ok(), len == CIE.len(), "{len}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes;
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(fdes) = index(&bytes, 0x20000, &TEXT) {
                assert!(fdes.iter().all(|fde| TEXT.start <= fde.start && fde.end <= TEXT.end));
            }
        }
    }

    #[test]
    fn frames_outside_the_code_are_refused() {
        let bytes = plain_frame(0x20000, &(0x10000..0x10101));
        assert!(index(&bytes, 0x20000, &TEXT).is_err());
    }
}
