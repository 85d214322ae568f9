//! The files that were mapped in a process: whether those that are there now are the same.
//!
//! A core file does not have what can be had from them, but for the first page of ELF files. Others, such as
//! those of the cache, are known by their times only.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use goblin::elf::program_header::{PT_LOAD, PT_NOTE};
use goblin::elf64::header::Header as FileHeader;
use goblin::elf64::program_header::ProgramHeader;

use super::core_file::{Core, Mapped};
use crate::elf;

/// How much of an ELF file is compared: what a core file has of it.
const FIRST_PAGE: u64 = 4096;
/// The name of notes with build IDs.
const BUILD_ID_OWNER: &[u8] = b"\x14\0\0\0\x03\0\0\0GNU\0";

/// The beginning of the note of a static runtime: the sizes of its name and its numbers, its type, its name.
const RUNTIME_NOTE: &[u8] = b"\x08\0\0\0\x0c\0\0\0\x01\0\0\0autojit\0";
/// More of an ELF file's headers and notes are not read.
const MOST_NOTES: usize = 1 << 20;

/// What is at a path now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// The file that was mapped, as far as can be seen.
    Same,
    /// Another one.
    Another,
    /// None that can be read.
    Gone,
}

/// Finds out for each file of a core file, which was written at `time`.
pub fn compare<'c>(core: &'c Core, file: &File, time: Option<SystemTime>) -> BTreeMap<&'c OsStr, Now> {
    let mut found = BTreeMap::new();
    for mapped in &core.files {
        found.entry(&*mapped.path).or_insert_with(|| now(core, file, mapped, time));
    }
    found
}

fn now(core: &Core, file: &File, mapped: &Mapped, time: Option<SystemTime>) -> Now {
    let path = &mapped.path;
    // A device or a pipe may do something when it is opened.
    let Some(status) = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file) else {
        return Now::Gone;
    };
    let Ok(current) = File::open(path) else { return Now::Gone };
    let of_file = || core.files.iter().filter(|other| other.path == *path);
    let is_long_enough = of_file().all(|part| {
        // A mapping may end behind the file, within a page.
        part.offset + (part.range.end - part.range.start) < status.len() + FIRST_PAGE
    });
    let was_changed = || time.zip(status.modified().ok()).is_some_and(|(time, changed)| changed > time);
    let first = of_file().find(|part| part.offset == 0).and_then(|part| first_page(core, file, part));
    let is_same = match first {
        Some(first) => {
            let mut page = vec![0; first.len().min(status.len() as usize)];
            let is_equal = current.read_exact_at(&mut page, 0).is_ok() && first.starts_with(&page);
            let is_identified = page.windows(BUILD_ID_OWNER.len()).any(|part| part == BUILD_ID_OWNER);
            is_equal && (is_identified || !was_changed())
        }
        None => !was_changed(),
    };
    if is_long_enough && is_same { Now::Same } else { Now::Another }
}

/// The first page of an ELF file that was mapped, if the core file has it.
fn first_page(core: &Core, file: &File, part: &Mapped) -> Option<Vec<u8>> {
    let start = part.range.start;
    let segment = core.segments.iter().find(|segment| segment.range.contains(&start))?;
    let before = start - segment.range.start;
    let kept = segment.kept.checked_sub(before)?.min(FIRST_PAGE);
    let mut page = vec![0; kept as usize];
    file.read_exact_at(&mut page, segment.offset + before).ok()?;
    elf::is_elf(&page).then_some(page)
}

/// The address of a function that a shared library shows, in the process of a core file. None if the library is another
/// one, or has no such function.
pub fn function(core: &Core, library: &OsStr, name: &str) -> Option<u64> {
    let first = core.files.iter().find(|part| part.path == library && part.offset == 0)?;
    let bytes = std::fs::read(library).ok()?;
    let parsed = elf::File::parse(&bytes).ok()?.elf;
    let is_it = |symbol: &goblin::elf::Sym| {
        symbol.st_shndx != 0 && parsed.dynstrtab.get_at(symbol.st_name) == Some(name)
    };
    let symbol = parsed.dynsyms.iter().find(is_it)?;
    let load =
        parsed.program_headers.iter().find(|header| header.p_type == PT_LOAD && header.p_offset == 0)?;
    Some(first.range.start.wrapping_sub(load.p_vaddr).wrapping_add(symbol.st_value))
}

/// The address of the function in the process of a core file that the note of a static runtime names, in a program or library
/// that has one inside (autojit_trampoline::linked).
pub fn noted_function(core: &Core, path: &OsStr) -> Option<u64> {
    let first = core.files.iter().find(|part| part.path == path && part.offset == 0)?;
    let file = File::open(path).ok()?;
    let read = |offset: u64, len: u64| {
        let mut bytes = vec![0; usize::try_from(len).ok().filter(|len| *len <= MOST_NOTES)?];
        file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    };
    let header = read(0, size_of::<FileHeader>() as u64).filter(|header| elf::is_elf(header))?;
    let header = FileHeader::parse(&header).ok()?;
    let len = u64::from(header.e_phnum) * size_of::<ProgramHeader>() as u64;
    let headers = ProgramHeader::from_bytes(&read(header.e_phoff, len)?, header.e_phnum.into());
    let load = headers.iter().find(|header| header.p_type == PT_LOAD && header.p_offset == 0)?;
    let base = first.range.start.wrapping_sub(load.p_vaddr);
    headers.iter().filter(|header| header.p_type == PT_NOTE).find_map(|header| {
        let notes = read(header.p_offset, header.p_filesz)?;
        let at =
            notes.windows(RUNTIME_NOTE.len()).position(|part| part == RUNTIME_NOTE)? + RUNTIME_NOTE.len();
        let distance = i32::from_le_bytes(*notes.get(at..)?.first_chunk()?);
        let here = base.wrapping_add(header.p_vaddr).wrapping_add(at as u64);
        Some(here.wrapping_add_signed(distance.into()))
    })
}

/// Whether the first page of a file that was mapped has that note, as far as the core file has the page.
pub fn had_note(core: &Core, file: &File, path: &OsStr) -> bool {
    let first = core.files.iter().find(|part| part.path == path && part.offset == 0);
    let page = first.and_then(|part| first_page(core, file, part));
    page.is_some_and(|page| page.windows(RUNTIME_NOTE.len()).any(|part| part == RUNTIME_NOTE))
}

/// Whether a path is that of a runtime, as it is installed or linked.
pub fn is_runtime(path: &OsStr) -> bool {
    let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"libautojit.so")
        || name.starts_with(b"libautojit-runtime.so")
        || name.starts_with(b"libautojit_preload.so")
}
