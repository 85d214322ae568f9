//! The layout of a live file, which is settled when it is made.
//!
//! ```text
//! one page   headers, build id, names of sections; mapped in front of the text, so that core files have it
//! text       } where the area has them: offset + address of the first byte
//! rodata     }
//! frames     .eh_frame_hdr: pairs of function and FDE, by address
//! symbols    .symtab
//! strings    .strtab
//! ```

use std::ops::Range;

use goblin::elf::header::{ELFMAG, ET_DYN, EV_CURRENT};
use goblin::elf::program_header::{PF_R, PF_X, PT_GNU_EH_FRAME, PT_LOAD, PT_NOTE};
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHT_NOTE, SHT_PROGBITS, SHT_STRTAB, SHT_SYMTAB};

use crate::arch::MACHINE;
use crate::arena::PAGE;
use crate::describe::{BASE, FUNCTION_INFO, HEADER, SECTION};
use crate::eh_frame::Fde;

pub(super) use crate::describe::SYMBOL;

/// Bytes of a build id.
pub(super) const BUILD_ID: usize = 16;
/// Bytes of a program header.
const PROGRAM_HEADER: usize = 56;
/// Bytes in front of the pairs of .eh_frame_hdr (LSB core, 10.6.2), of their number within, and of a pair.
pub(super) const FRAMES_HEAD: usize = 12;
pub(super) const FRAMES_COUNT: usize = 8;
pub(super) const FRAME: usize = 8;
/// Text that a function has at least, on average. What has no room has no name.
const FUNCTION: usize = 32;

/// A table at the end of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Frames,
    Symbols,
    Strings,
}

impl Table {
    pub const ALL: [Self; 3] = [Self::Frames, Self::Symbols, Self::Strings];
}

/// Names of sections, in the order of their headers.
const SECTIONS: [&str; 8] =
    ["", ".text", ".rodata", ".note.gnu.build-id", ".eh_frame_hdr", ".symtab", ".strtab", ".shstrtab"];
const TEXT: u16 = 1;
const SYMBOLS: usize = 5;
const STRINGS: usize = 6;

/// Where the page of headers has what.
const PROGRAM_HEADERS: usize = HEADER;
const SEGMENTS: usize = 4;
const SECTION_HEADERS: usize = PROGRAM_HEADERS + SEGMENTS * PROGRAM_HEADER;
const NOTE: usize = SECTION_HEADERS + SECTIONS.len() * SECTION;
const NOTE_LEN: usize = 16 + BUILD_ID;
const NAMES: usize = NOTE + NOTE_LEN;

/// Where in the file it is said how large a table is.
pub(super) fn size_field(table: Table) -> usize {
    const SIZE: usize = 32;
    let section = if table == Table::Symbols { SYMBOLS } else { STRINGS };
    SECTION_HEADERS + section * SECTION + SIZE
}

/// What a section header says.
#[derive(Default)]
struct Section {
    kind: u32,
    flags: u32,
    range: Range<usize>,
    link: u32,
    info: u32,
    align: usize,
    entry: usize,
}

impl Section {
    /// An Elf64_Shdr.
    fn bytes(&self, name: u32, address: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SECTION);
        let mut put = |part: &[u8]| bytes.extend_from_slice(part);
        put(&name.to_le_bytes());
        put(&self.kind.to_le_bytes());
        put(&u64::from(self.flags).to_le_bytes());
        for word in [address, self.range.start as u64, self.range.len() as u64] {
            put(&word.to_le_bytes());
        }
        put(&self.link.to_le_bytes());
        put(&self.info.to_le_bytes());
        put(&(self.align as u64).to_le_bytes());
        put(&(self.entry as u64).to_le_bytes());
        bytes
    }
}

/// See the head of the file.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The address of the file's first byte.
    pub base: usize,
    text: usize,
    rodata: usize,
}

impl Layout {
    /// For text at this range, whose first page is the headers', and as much rodata behind it.
    pub fn new(text: Range<usize>, rodata: usize) -> Self {
        Self { base: text.start, text: text.len(), rodata }
    }

    /// Where a table is in the file.
    pub fn table(&self, table: Table) -> Range<usize> {
        let functions = self.text / FUNCTION;
        let sizes = [FRAMES_HEAD + functions * FRAME, (1 + functions) * SYMBOL, self.text];
        let mut at = self.text + self.rodata;
        for size in &sizes[..table as usize] {
            at += size.next_multiple_of(PAGE);
        }
        at..at + sizes[table as usize].next_multiple_of(PAGE)
    }

    /// All tables.
    pub fn tables(&self) -> Range<usize> {
        self.table(Table::Frames).start..self.size()
    }

    /// The size of the file.
    pub fn size(&self) -> usize {
        self.table(Table::Strings).end
    }

    /// The address that the file gives for one in memory, as the other files that describe code do.
    fn address(&self, offset: usize) -> u64 {
        (self.base + offset).wrapping_sub(BASE) as u64
    }

    /// The first page.
    pub fn headers(&self, build_id: &[u8; BUILD_ID]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PAGE);
        let mut put = |part: &[u8]| bytes.extend_from_slice(part);
        // An Elf64_Ehdr.
        put(ELFMAG);
        put(&[2, 1, EV_CURRENT, 0, 0, 0, 0, 0, 0, 0, 0, 0]); //  64 bits, little-endian
        put(&ET_DYN.to_le_bytes());
        put(&MACHINE.to_le_bytes());
        put(&1_u32.to_le_bytes()); //                            version
        put(&0_u64.to_le_bytes()); //                            entry
        put(&(PROGRAM_HEADERS as u64).to_le_bytes());
        put(&(SECTION_HEADERS as u64).to_le_bytes());
        put(&0_u32.to_le_bytes()); //                            flags
        for number in [HEADER, PROGRAM_HEADER, SEGMENTS, SECTION, SECTIONS.len(), SECTIONS.len() - 1] {
            put(&(number as u16).to_le_bytes());
        }
        let frames = self.table(Table::Frames);
        let rodata = self.text..self.text + self.rodata;
        let note = NOTE..NOTE + NOTE_LEN;
        let mut segment = |kind: u32, flags: u32, range: &Range<usize>, align: usize| {
            put(&kind.to_le_bytes());
            put(&flags.to_le_bytes());
            let (address, len) = (self.address(range.start), range.len() as u64);
            for word in [range.start as u64, address, address, len, len, align as u64] {
                put(&word.to_le_bytes());
            }
        };
        segment(PT_LOAD, PF_R | PF_X, &(0..self.text), PAGE);
        segment(PT_LOAD, PF_R, &rodata, PAGE);
        segment(PT_NOTE, PF_R, &note, 4);
        segment(PT_GNU_EH_FRAME, PF_R, &frames, 4);
        let (symbols, strings) = (self.table(Table::Symbols).start, self.table(Table::Strings).start);
        let section = |kind, range: &Range<usize>, align| Section {
            kind,
            flags: SHF_ALLOC,
            range: range.clone(),
            align,
            ..Section::default()
        };
        let table = |kind, range: Range<usize>| Section { kind, range, align: 1, ..Section::default() };
        let sections: [Section; SECTIONS.len()] = [
            Section::default(),
            Section { flags: SHF_ALLOC | SHF_EXECINSTR, ..section(SHT_PROGBITS, &(PAGE..self.text), PAGE) },
            section(SHT_PROGBITS, &rodata, PAGE),
            section(SHT_NOTE, &note, 4),
            section(SHT_PROGBITS, &frames, 4),
            Section {
                link: STRINGS as u32,
                info: 1,
                align: 8,
                entry: SYMBOL,
                ..table(SHT_SYMTAB, symbols..symbols + SYMBOL)
            },
            table(SHT_STRTAB, strings..strings + 1),
            table(SHT_STRTAB, NAMES..NAMES + names().len()),
        ];
        let mut name = 0;
        for (section, text) in sections.iter().zip(SECTIONS) {
            let address = if section.flags == 0 { 0 } else { self.address(section.range.start) };
            put(&section.bytes(name, address));
            name += text.len() as u32 + 1;
        }
        const NT_GNU_BUILD_ID: u32 = 3;
        for word in [4, BUILD_ID as u32, NT_GNU_BUILD_ID] {
            put(&word.to_le_bytes());
        }
        put(b"GNU\0");
        put(build_id);
        put(names().as_bytes());
        bytes
    }

    /// What the table of unwind information begins with: version and encodings, where the information is (in the rodata),
    /// how many pairs there are.
    pub fn frames_head(&self) -> [u8; FRAMES_HEAD] {
        let [a, b, c, d] = ((self.text as i64 - (self.frames() + 4) as i64) as i32).to_le_bytes();
        [1, 0x1b, 0x03, 0x3b, a, b, c, d, 0, 0, 0, 0]
    }

    fn frames(&self) -> usize {
        self.table(Table::Frames).start
    }

    /// The pair of a function, relative to the table; none if its information is not in the file.
    pub fn frame(&self, fde: &Fde) -> Option<[u8; FRAME]> {
        let rodata = self.text..self.text + self.rodata;
        let at = fde.fde.wrapping_sub(self.base);
        if !rodata.contains(&at) {
            return None;
        }
        let relative = |offset: usize| ((offset as i64 - self.frames() as i64) as i32).to_le_bytes();
        let ([a, b, c, d], [e, f, g, h]) = (relative(fde.start.wrapping_sub(self.base)), relative(at));
        Some([a, b, c, d, e, f, g, h])
    }

    /// An Elf64_Sym of a function.
    pub fn symbol(&self, name: u32, start: usize, size: usize) -> [u8; SYMBOL] {
        let mut symbol = [0; SYMBOL];
        symbol[..4].copy_from_slice(&name.to_le_bytes());
        symbol[4] = FUNCTION_INFO;
        symbol[6..8].copy_from_slice(&TEXT.to_le_bytes());
        symbol[8..16].copy_from_slice(&(start.wrapping_sub(BASE) as u64).to_le_bytes());
        symbol[16..].copy_from_slice(&(size as u64).to_le_bytes());
        symbol
    }
}

/// The names of sections, each with its NUL.
fn names() -> String {
    SECTIONS.map(|name| format!("{name}\0")).concat()
}

const _: () = assert!(NAMES + 128 < PAGE);

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::elf::Elf;

    #[test]
    fn readers_of_elf_files_find_everything() {
        let layout = Layout::new(0x7000_0000..0x7004_0000, 0x2_0000);
        let mut bytes = layout.headers(&[7; BUILD_ID]);
        assert!(bytes.len() <= PAGE, "{}", bytes.len());
        bytes.resize(layout.size(), 0);
        let symbols = layout.table(Table::Symbols).start;
        bytes[symbols + SYMBOL..][..SYMBOL].copy_from_slice(&layout.symbol(1, 0x7000_1010, 0x20));
        bytes[size_field(Table::Symbols)] = 2 * SYMBOL as u8;
        bytes[layout.table(Table::Strings).start..][..6].copy_from_slice(b"\0work\0");
        bytes[size_field(Table::Strings)] = 6;
        let elf = Elf::parse(&bytes).expect("it is an ELF file");
        let name = |at| elf.shdr_strtab.get_at(at).expect("it has a name");
        let sections: Vec<_> = elf.section_headers.iter().map(|header| name(header.sh_name)).collect();
        assert_eq!(sections, SECTIONS);
        let symbol = elf.syms.iter().nth(1).expect("there is one symbol");
        assert_eq!((elf.strtab.get_at(symbol.st_name), elf.syms.len()), (Some("work"), 2));
        let load = &elf.program_headers[0];
        // Where it is in memory, less where the file says that it is.
        let bias = layout.base as u64 - load.p_offset - load.p_vaddr;
        assert_eq!((symbol.st_value + bias, symbol.st_size), (0x7000_1010, 0x20));
        let mut notes = elf.iter_note_headers(&bytes).expect("there is a note");
        assert_eq!(notes.next().expect("one").expect("whole").desc, [7; BUILD_ID]);
    }

    #[test]
    fn frames_are_found_relative_to_their_table() {
        let layout = Layout::new(0x7000_0000..0x7004_0000, 0x2_0000);
        let table = layout.table(Table::Frames).start as i64;
        let word = |bytes: &[u8]| i64::from(i32::from_le_bytes(bytes.try_into().expect("four bytes")));
        assert_eq!(word(&layout.frames_head()[4..8]) + table + 4, 0x4_0000);
        let fde = Fde { start: 0x7000_1010, end: 0x7000_1020, fde: 0x7004_0018 };
        let pair = layout.frame(&fde).expect("it is in the file");
        assert_eq!([word(&pair[..4]) + table, word(&pair[4..]) + table], [0x1010, 0x4_0018]);
        assert_eq!(layout.frame(&Fde { fde: 0x7006_0000, ..fde }), None);
    }
}
