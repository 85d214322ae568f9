//! Core files: what memory a process had, which files were mapped, and where a thread had its thread-locals.
//!
//! Receives bytes that anything may have written; hands on numbers that are checked against one another, but not against
//! the system.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;

use super::arch;

/// More headers or notes than this are no program's: 65,530 mappings are what the kernel allows by default.
const MOST_HEADERS: u64 = 1 << 20;
const MOST_NOTES: u64 = 256 << 20;
/// Sizes and fields of ELF-64 (gABI): the file's header, a program header, a section header.
const FILE_HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const SECTION_HEADER: usize = 64;
const ET_CORE: u16 = 4;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// The count of program headers does not fit into its field; it is in the first section header.
const PN_XNUM: u64 = 0xffff;
const NT_PRSTATUS: u32 = 1;
const NT_FILE: u32 = 0x4649_4c45;

/// What is used of a core file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// The memory of the process, by addresses.
    pub segments: Vec<Segment>,
    /// The mappings of files.
    pub files: Vec<Mapped>,
    /// The thread pointer of the thread that comes first: the one that a signal ended, if the kernel wrote the file.
    pub thread_pointer: u64,
}

/// A part of the memory. The file may have all of it, its beginning, or nothing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Its addresses.
    pub range: Range<u64>,
    /// Where its bytes are in the core file, and how many there are.
    pub offset: u64,
    pub kept: u64,
    /// PF_R, PF_W and PF_X.
    pub flags: u32,
}

/// A part of a file that was mapped.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mapped {
    pub range: Range<u64>,
    /// Where it begins in the file.
    pub offset: u64,
    pub path: OsString,
}

/// Why a file is of no use.
#[derive(Debug)]
pub enum Unusable {
    /// It cannot be read.
    Io(io::Error),
    /// It is something else, or damaged.
    Content(&'static str),
    /// It ends too early.
    Truncated,
}

fn bytes_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes_at(bytes, offset).map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes_at(bytes, offset).map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes_at(bytes, offset).map(u64::from_le_bytes)
}

/// Reads a core file's tables.
///
/// # Errors
/// It is no core file of this machine, damaged, or not whole.
pub fn read(file: &File) -> Result<Core, Unusable> {
    let size = file.metadata().map_err(Unusable::Io)?.len();
    let part = |offset: u64, len: u64| {
        if offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(Unusable::Truncated);
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, offset).map_err(Unusable::Io)?;
        Ok(bytes)
    };
    parse(size, part)
}

/// The same for a file of `size` bytes, of which `part` reads some.
///
/// # Errors
/// As above.
pub fn parse(size: u64, part: impl Fn(u64, u64) -> Result<Vec<u8>, Unusable>) -> Result<Core, Unusable> {
    const DAMAGED: Unusable = Unusable::Content("its tables are damaged");
    let header = part(0, FILE_HEADER as u64).map_err(|why| match why {
        Unusable::Truncated => Unusable::Content("it is no core file"),
        why => why,
    })?;
    // ELF-64, little endian.
    let is_core = header.starts_with(b"\x7fELF\x02\x01") && u16_at(&header, 16) == Some(ET_CORE);
    if !is_core {
        return Err(Unusable::Content("it is no core file"));
    }
    if u16_at(&header, 18) != Some(arch::MACHINE) {
        return Err(Unusable::Content("it is of another kind of machine"));
    }
    let (table, entry) = (u64_at(&header, 32).ok_or(DAMAGED)?, u16_at(&header, 54).ok_or(DAMAGED)?);
    let mut count = u64::from(u16_at(&header, 56).ok_or(DAMAGED)?);
    if count == PN_XNUM {
        let first = part(u64_at(&header, 40).ok_or(DAMAGED)?, SECTION_HEADER as u64)?;
        count = u64::from(u32_at(&first, 44).ok_or(DAMAGED)?);
    }
    if usize::from(entry) != PROGRAM_HEADER || count > MOST_HEADERS {
        return Err(DAMAGED);
    }
    let table = part(table, count * PROGRAM_HEADER as u64)?;
    let mut core = Core::default();
    for header in table.chunks_exact(PROGRAM_HEADER) {
        let field = |offset| u64_at(header, offset).ok_or(DAMAGED);
        let (kind, flags) = (u32_at(header, 0).ok_or(DAMAGED)?, u32_at(header, 4).ok_or(DAMAGED)?);
        let (offset, start, kept, len) = (field(8)?, field(16)?, field(32)?, field(40)?);
        match kind {
            PT_NOTE if kept > MOST_NOTES => return Err(DAMAGED),
            PT_NOTE => notes(&part(offset, kept)?, &mut core).ok_or(DAMAGED)?,
            PT_LOAD if len != 0 => {
                let end = start.checked_add(len).filter(|_| kept <= len).ok_or(DAMAGED)?;
                // What the kernel shows everywhere (vsyscall) is no memory of the process.
                if end > arch::ADDRESSES_END {
                    continue;
                }
                if offset.checked_add(kept).is_none_or(|end| end > size) {
                    return Err(Unusable::Truncated);
                }
                core.segments.push(Segment { range: start..end, offset, kept, flags });
            }
            _ => {}
        }
    }
    core.segments.sort_by_key(|segment| segment.range.start);
    if core.segments.is_sorted_by(|a, b| a.range.end <= b.range.start) { Ok(core) } else { Err(DAMAGED) }
}

/// Reads notes. None if they are damaged.
fn notes(mut rest: &[u8], core: &mut Core) -> Option<()> {
    while rest.len() >= 12 {
        let (name, len, kind) = (u32_at(rest, 0)? as usize, u32_at(rest, 4)? as usize, u32_at(rest, 8)?);
        let content = 12 + name.next_multiple_of(4);
        let note = rest.get(content..content.checked_add(len)?)?;
        let is_of_core = rest[12..].starts_with(b"CORE\0");
        match kind {
            NT_PRSTATUS if is_of_core && core.thread_pointer == 0 => {
                core.thread_pointer = u64_at(note, arch::THREAD_POINTER_IN_STATUS)?;
            }
            NT_FILE if is_of_core => core.files = files(note)?,
            _ => {}
        }
        rest = rest.get(content + len.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(())
}

/// The mappings of files: their count, the size of a page, three numbers of each, and then their names.
fn files(note: &[u8]) -> Option<Vec<Mapped>> {
    let (count, page) = (usize::try_from(u64_at(note, 0)?).ok()?, u64_at(note, 8)?);
    let names = note.get(16..)?.get(count.checked_mul(24)?..)?;
    let mut names = names.split(|byte| *byte == 0);
    let file = |number: usize| {
        let field = |index: usize| u64_at(note, 16 + 24 * number + 8 * index);
        let (range, offset) = (field(0)?..field(1)?, field(2)?.checked_mul(page)?);
        let is_whole = range.start <= range.end && offset.checked_add(range.end - range.start).is_some();
        let path = OsString::from_vec(names.next()?.to_vec());
        is_whole.then_some(Mapped { range, offset, path })
    };
    (0..count).map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u32, content: &[u8]) -> Vec<u8> {
        let mut note = [5, content.len() as u32, kind].map(u32::to_le_bytes).concat();
        note.extend_from_slice(b"CORE\0\0\0\0");
        note.extend_from_slice(content);
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }

    /// A core file with notes, and segments: address, size, and how much of it is there.
    fn file(notes: &[u8], segments: &[(u64, u64, u64)], extended: bool) -> Vec<u8> {
        let count = segments.len() as u64 + 1;
        let mut bytes = vec![0; FILE_HEADER];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16..20].copy_from_slice(&[4, 0, arch::MACHINE as u8, 0]);
        bytes[54] = PROGRAM_HEADER as u8;
        let first_section = FILE_HEADER as u64;
        bytes[32..40].copy_from_slice(&(first_section + SECTION_HEADER as u64).to_le_bytes());
        bytes[40..48].copy_from_slice(&first_section.to_le_bytes());
        bytes[56..58].copy_from_slice(&if extended { 0xffff } else { count as u16 }.to_le_bytes());
        bytes.resize(FILE_HEADER + SECTION_HEADER, 0);
        bytes[FILE_HEADER + 44..][..4].copy_from_slice(&(count as u32).to_le_bytes());
        let mut content = bytes.len() as u64 + count * PROGRAM_HEADER as u64;
        let note = (PT_NOTE, 0, notes.len() as u64, 0);
        let loads = segments.iter().map(|(start, len, kept)| (PT_LOAD, *start, *kept, *len));
        for (kind, start, kept, len) in std::iter::once(note).chain(loads) {
            bytes.extend([kind, 4].map(u32::to_le_bytes).concat());
            bytes.extend([content, start, 0, kept, len, 1].map(u64::to_le_bytes).concat());
            content += kept;
        }
        bytes.extend_from_slice(notes);
        bytes.resize(content as usize, 0);
        bytes
    }

    fn parsed(bytes: &[u8]) -> Result<Core, Unusable> {
        parse(bytes.len() as u64, |offset, len| {
            let part = bytes.get(offset as usize..).and_then(|rest| rest.get(..len as usize));
            part.map(<[u8]>::to_vec).ok_or(Unusable::Truncated)
        })
    }

    fn notes() -> Vec<u8> {
        let mut status = vec![0; 336];
        status[arch::THREAD_POINTER_IN_STATUS..][..8].copy_from_slice(&0x7700_u64.to_le_bytes());
        let files = [2, 4096, 0x1000, 0x3000, 1, 0x5000, 0x6000, 0].map(u64::to_le_bytes).concat();
        [note(NT_PRSTATUS, &status), note(NT_FILE, &[&files[..], b"/a\0/b b\0"].concat())].concat()
    }

    #[test]
    fn tables_are_read() {
        for extended in [false, true] {
            let segments = [(0x5000, 0x1000, 0), (0x1000, 0x2000, 0x1000), (u64::MAX - 4096, 4096, 0)];
            let core = parsed(&file(&notes(), &segments, extended)).expect("it is one");
            let found: Vec<_> = core.segments.iter().map(|part| (part.range.clone(), part.kept)).collect();
            assert_eq!(found, [(0x1000..0x3000, 0x1000), (0x5000..0x6000, 0)]);
            let files: Vec<_> =
                core.files.iter().map(|part| (part.range.clone(), part.offset, part.path.to_str())).collect();
            assert_eq!(files, [(0x1000..0x3000, 0x1000, Some("/a")), (0x5000..0x6000, 0, Some("/b b"))]);
            assert_eq!(core.thread_pointer, 0x7700);
        }
    }

    #[test]
    fn damage_is_found() {
        let whole = file(&notes(), &[(0x1000, 0x2000, 0x1000)], false);
        assert!(matches!(parsed(&whole[..whole.len() - 1]), Err(Unusable::Truncated)));
        assert!(matches!(parsed(&whole[..20]), Err(Unusable::Content(_))));
        for segments in [&[(0x1000, 0x2000, 0x2001)][..], &[(0x1000, 0x2000, 0), (0x2000, 0x1000, 0)]] {
            assert!(matches!(parsed(&file(&notes(), segments, false)), Err(Unusable::Content(_))));
        }
        // A list of files that ends before its names do.
        let files = [1 << 40, 4096].map(u64::to_le_bytes).concat();
        assert!(matches!(parsed(&file(&note(NT_FILE, &files), &[], false)), Err(Unusable::Content(_))));
        // Whatever is cut off or set, there is an answer.
        for at in 0..whole.len().min(600) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            let _ = parsed(&bytes);
            let _ = parsed(&whole[..at]);
        }
    }
}
