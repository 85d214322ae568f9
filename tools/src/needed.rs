//! Libraries that must come first in a program: the runtimes of sanitizers, which refuse to run behind others.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use autojit_sys::File;

/// What the names of AddressSanitizer's runtimes begin with, gcc's and clang's.
const FIRST: [&[u8]; 2] = [b"libasan.so", b"libclang_rt.asan"];

// Offsets and values of the gABI, for 64-bit files.
const PROGRAM_HEADERS: usize = 32;
const PROGRAM_HEADER_COUNT: usize = 56;
const PROGRAM_HEADER_SIZE: usize = 56;
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_NULL: u64 = 0;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

/// The library that must be preloaded in front of ours to come first in `program`, if it needs such a one.
pub fn first(program: &Path) -> Option<OsString> {
    let path = CString::new(program.as_os_str().as_bytes()).ok()?;
    let map = File::open(&path, libc::O_RDONLY | libc::O_CLOEXEC, 0).and_then(|file| file.map()).ok()?;
    let name = needed(&map)?.into_iter().find(|name| FIRST.iter().any(|first| name.starts_with(first)))?;
    Some(OsString::from_vec(name.to_vec()))
}

fn word(file: &[u8], at: usize, size: usize) -> Option<u64> {
    let mut word = [0; 8];
    word[..size].copy_from_slice(file.get(at..at.checked_add(size)?)?);
    Some(u64::from_le_bytes(word))
}

/// The names of the libraries that a program needs. None if it is no 64-bit ELF file or has no dynamic section.
fn needed(file: &[u8]) -> Option<Vec<&[u8]>> {
    // The class: 64 bits; the byte order: little-endian.
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let headers = word(file, PROGRAM_HEADERS, 8)? as usize;
    let count = word(file, PROGRAM_HEADER_COUNT, 2)? as usize;
    let header = |index: usize| {
        let at = headers.checked_add(index * PROGRAM_HEADER_SIZE)?;
        let field = |offset: usize| word(file, at.saturating_add(offset), 8);
        // Type, offset, address, size in the file.
        Some([word(file, at, 4)?, field(8)?, field(16)?, field(32)?])
    };
    let all = || (0..count).map_while(header);
    let [_, offset, _, size] = all().find(|header| header[0] == PT_DYNAMIC)?;
    let entries = (0..size / 16).map_while(|index| {
        let at = offset.checked_add(index * 16)? as usize;
        Some((word(file, at, 8)?, word(file, at.saturating_add(8), 8)?))
    });
    let entries: Vec<_> = entries.take_while(|entry| entry.0 != DT_NULL).collect();
    let address = entries.iter().find(|entry| entry.0 == DT_STRTAB)?.1;
    let inside = |header: &[u64; 4]| {
        header[0] == PT_LOAD && address.checked_sub(header[2]).is_some_and(|at| at < header[3])
    };
    let segment = all().find(inside)?;
    let strings = file.get(segment[1].checked_add(address - segment[2])? as usize..)?;
    let name = |entry: &(u64, u64)| strings.get(entry.1 as usize..)?.split(|byte| *byte == 0).next();
    Some(entries.iter().filter(|entry| entry.0 == DT_NEEDED).filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let mut own = std::fs::read("/proc/self/exe").unwrap();
        assert!(needed(&own).unwrap().contains(&&b"libc.so.6"[..]));
        assert_eq!(first(Path::new("/proc/self/exe")), None);
        assert_eq!(needed(b"#!/bin/sh\n"), None);
        // Damaged in whatever way, nothing is read that is not there.
        for at in (0..256).chain((256..own.len()).step_by(997)) {
            needed(&own[..at]);
            own[at] = !own[at];
            needed(&own);
            own[at] = !own[at];
        }
    }
}
