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

use super::core_file::{Core, Mapped};
use crate::elf;

/// How much of an ELF file is compared: what a core file has of it.
const FIRST_PAGE: u64 = 4096;
/// The name of notes with build IDs.
const BUILD_ID_OWNER: &[u8] = b"\x14\0\0\0\x03\0\0\0GNU\0";

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
    let load = parsed
        .program_headers
        .iter()
        .find(|header| header.p_type == goblin::elf::program_header::PT_LOAD && header.p_offset == 0)?;
    Some(first.range.start.wrapping_sub(load.p_vaddr).wrapping_add(symbol.st_value))
}

/// Whether a path is that of a runtime, as it is installed or linked.
pub fn is_runtime(path: &OsStr) -> bool {
    let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"libautojit.so")
        || name.starts_with(b"libautojit-runtime.so")
        || name.starts_with(b"libautojit_preload.so")
}
