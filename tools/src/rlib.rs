//! Libraries of Rust, made fit for links with link-time optimisation: rustdoc links tests in documentation as the profile says,
//! and cargo does not ask a wrapper. rustc then wants bitcode of every object that it takes for its own, by the name, and leaves these
//! objects out of the link.
//!
//! So lazy objects get another name, by which they are linked as they are, and one object comes beside them that has bitcode: a module
//! which defines nothing and uses what they need of other libraries. That would be internal to the rest of the program otherwise, or
//! gone.

use std::collections::BTreeSet;
use std::fs::{self, FileTimes, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;

use autojit_bitcode::BitcodeModule;
use autojit_store::Container;
use autojit_trampoline::contract::STORE_SECTION;
use goblin::elf::sym::STB_GLOBAL;

use crate::elf::{File, is_archive};

/// How rustc knows objects of its own, and what is as long.
const OWN: &[u8] = b".rcgu.o";
const OTHER: &[u8] = b".lazy.o";
/// The section with an object's bitcode.
const BITCODE: &str = ".llvmbc";
/// The name of the object with bitcode, as archives have names that fit into a header.
const NAME: &[u8] = b"autojit.rcgu.o/ ";
const HEADER: usize = 60;

/// Makes a library fit, if it has lazy objects. What cannot be read stays as it is.
pub fn make_fit(path: &Path) {
    let Some((changes, object)) = fs::read(path).ok().and_then(|archive| changes(&archive)) else { return };
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else { return };
    let Ok(before) = file.metadata() else { return };
    // Whatever is written last, the archive is whole.
    let mut written = file.write_all_at(&member(&object), before.len().next_multiple_of(2));
    for at in changes {
        written = written.and_then(|()| file.write_all_at(OTHER, at as u64));
    }
    if let Err(error) =
        written.and(before.modified()).and_then(|time| file.set_times(FileTimes::new().set_modified(time)))
    {
        eprintln!("autojit: cannot write '{}': {error}", path.display());
    }
}

/// Where names of objects change, and the object that comes to them.
fn changes(archive: &[u8]) -> Option<(Vec<usize>, Vec<u8>)> {
    let (mut changes, mut about) = (Vec::new(), None);
    let (mut needed, mut defined) = (BTreeSet::new(), BTreeSet::new());
    for (end, object) in members(archive)? {
        let is_own = archive[..end].ends_with(OWN);
        let Some(file) = File::parse(object).ok().filter(|_| is_own) else { continue };
        if file.section(BITCODE).ok()?.is_some() {
            continue;
        }
        changes.push(end - OWN.len());
        for symbol in file.elf.syms.iter() {
            let name = file.elf.strtab.get_at(symbol.st_name).filter(|name| is_of_rust(name));
            match name.map(str::to_owned) {
                Some(name) if symbol.st_shndx != 0 => defined.extend([name]),
                Some(name) if symbol.st_bind() == STB_GLOBAL => needed.extend([name]),
                _ => {}
            }
        }
        if about.is_none()
            && let Ok(Some((_, store))) = file.section(STORE_SECTION)
            && let Some(Ok((_, bytes))) = autojit_store::containers(store).next()
        {
            let bitcode = Container::parse(bytes).ok()?.bitcode().ok()?;
            let module = BitcodeModule::parse(&bitcode).ok()?;
            about = Some((module.triple().to_owned(), module.data_layout().to_owned()));
        }
    }
    let (triple, layout) = about?;
    let names: Vec<String> = needed.difference(&defined).cloned().collect();
    Some((changes, object(&module(&triple, &layout, &names))))
}

/// Whether other libraries of Rust have a symbol for Rust alone. What is for C stays anyway.
fn is_of_rust(symbol: &str) -> bool {
    symbol.starts_with("_R") || symbol.starts_with("_ZN") || symbol.contains("rust_")
}

/// The members of an archive: where the name ends, and the bytes. None if it is damaged.
fn members(archive: &[u8]) -> Option<Vec<(usize, &[u8])>> {
    let number = |at: usize, length: usize| {
        std::str::from_utf8(archive.get(at..at + length)?).ok()?.trim_end().parse::<usize>().ok()
    };
    let (mut members, mut long, mut at) = (Vec::new(), 0, 8);
    if !is_archive(archive) {
        return None;
    }
    while at + HEADER <= archive.len() {
        let (content, size) = (at + HEADER, number(at + 48, 10)?);
        let bytes = archive.get(content..content.checked_add(size)?)?;
        let start = match &archive[at..at + 2] {
            b"//" => {
                long = content;
                None
            }
            b"/ " => None,
            [b'/', _] => Some(long + number(at + 1, 15)?),
            _ => Some(at),
        };
        if let Some(start) = start {
            let length = archive.get(start..)?.iter().position(|byte| *byte == b'/')?;
            members.push((start + length, bytes));
        }
        at = (content + size).next_multiple_of(2);
    }
    Some(members)
}

/// A member of an archive.
fn member(object: &[u8]) -> Vec<u8> {
    let mut member = NAME.to_vec();
    member.extend(format!("{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, object.len()).as_bytes());
    member.extend(object);
    member.resize(member.len().next_multiple_of(2), b'\n');
    member
}

/// An object with nothing but bitcode, for x86-64.
fn object(bitcode: &[u8]) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.llvmbc\0.note.GNU-stack\0.shstrtab\0";
    const ELF: usize = 64;
    let names = ELF + bitcode.len();
    let headers = (names + NAMES.len()).next_multiple_of(8);
    let mut object = b"\x7fELF\x02\x01\x01".to_vec();
    object.resize(16, 0);
    // A relocatable file for the machine 62.
    [1u16, 62].into_iter().for_each(|half| object.extend(half.to_le_bytes()));
    object.extend(1u32.to_le_bytes());
    [0, 0, headers as u64].into_iter().for_each(|word| object.extend(word.to_le_bytes()));
    object.extend(0u32.to_le_bytes());
    [64u16, 0, 0, 64, 4, 3].into_iter().for_each(|half| object.extend(half.to_le_bytes()));
    object.extend(bitcode);
    object.extend(NAMES);
    object.resize(headers, 0);
    let mut section = |name: u32, kind: u32, flags: u64, offset: usize, size: usize| {
        [name, kind].into_iter().for_each(|word| object.extend(word.to_le_bytes()));
        for word in [flags, 0, offset as u64, size as u64, 0, 1, 0] {
            object.extend(word.to_le_bytes());
        }
    };
    section(0, 0, 0, 0, 0);
    // Linkers leave it out, as rustc's own.
    section(1, 1, 1 << 31, ELF, bitcode.len());
    section(9, 1, 0, names, 0);
    section(25, 3, 0, names, NAMES.len());
    object
}

/// Bits of a bitstream in the making.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    filled: u32,
}

/// The width of abbreviations in all blocks.
const WIDTH: u32 = 3;

impl Bits {
    fn fixed(&mut self, value: u64, width: u32) {
        for bit in 0..width {
            if self.filled == 0 {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().expect("there is one") |= ((value >> bit & 1) as u8) << self.filled;
            self.filled = (self.filled + 1) % 8;
        }
    }

    fn vbr(&mut self, mut value: u64, width: u32) {
        let more = 1 << (width - 1);
        while value >= more {
            self.fixed(value & (more - 1) | more, width);
            value >>= width - 1;
        }
        self.fixed(value, width);
    }

    fn align(&mut self) {
        self.filled = 0;
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// A record without an abbreviation.
    fn record(&mut self, code: u64, fields: impl IntoIterator<Item = u64>) {
        let fields: Vec<_> = fields.into_iter().collect();
        self.fixed(3, WIDTH);
        [code, fields.len() as u64].into_iter().chain(fields).for_each(|number| self.vbr(number, 6));
    }

    fn text(&mut self, code: u64, text: &[u8]) {
        self.record(code, text.iter().map(|byte| u64::from(*byte)));
    }

    /// A block, in a block whose abbreviations have `outer` bits.
    fn block(&mut self, id: u64, outer: u32, fill: impl FnOnce(&mut Self)) {
        self.fixed(1, outer);
        self.vbr(id, 8);
        self.vbr(WIDTH.into(), 4);
        self.align();
        let start = self.bytes.len() + 4;
        self.bytes.resize(start, 0);
        fill(self);
        self.fixed(0, WIDTH);
        self.align();
        let words = ((self.bytes.len() - start) / 4) as u32;
        self.bytes[start - 4..start].copy_from_slice(&words.to_le_bytes());
    }
}

/// The bitcode of a module that declares `names` and uses them, with the numbers of LLVM's LLVMBitCodes.h.
fn module(triple: &[u8], layout: &[u8], names: &[String]) -> Vec<u8> {
    const USED: &str = "llvm.used";
    /// Width of abbreviations outside of blocks.
    const TOP: u32 = 2;
    let count = names.len() as u64;
    let functions = 1..=count;
    let mut bits = Bits { bytes: b"BC\xc0\xde".to_vec(), filled: 0 };
    // IDENTIFICATION: STRING, EPOCH.
    bits.block(13, TOP, |bits| {
        bits.text(1, b"autojit");
        bits.record(2, [0]);
    });
    bits.block(8, TOP, |bits| {
        // VERSION: names are in a table of strings.
        bits.record(1, [2]);
        // TYPE_BLOCK_NEW: NUMENTRY; a pointer, an array of them, void, a function.
        bits.block(17, WIDTH, |bits| {
            bits.record(1, [4]);
            bits.record(25, [0]);
            bits.record(11, [count, 0]);
            bits.record(2, []);
            bits.record(21, [0, 2]);
        });
        // TRIPLE, DATALAYOUT, SECTIONNAME, SOURCE_FILENAME.
        bits.text(2, triple);
        bits.text(3, layout);
        bits.text(5, b"llvm.metadata");
        bits.text(16, b"autojit");
        // GLOBALVAR: the array, of appending linkage, with the value behind all functions, in that section.
        if names.is_empty() {
            return;
        }
        bits.record(7, [0, USED.len() as u64, 1, 2, count + 2, 2, 0, 1]);
        let mut offset = USED.len() as u64;
        for name in names {
            // FUNCTION: a declaration. What it declares may be a variable.
            let length = name.len() as u64;
            bits.record(8, [offset, length, 3, 0, 1].into_iter().chain([0; 14]));
            offset += length;
        }
        // CONSTANTS: SETTYPE, AGGREGATE.
        bits.block(11, WIDTH, |bits| {
            bits.record(1, [1]);
            bits.record(7, functions.clone());
        });
        // GLOBALVAL_SUMMARY, for the thin kind: VERSION, FLAGS, and what the array refers to; it is live.
        bits.block(20, WIDTH, |bits| {
            bits.record(10, [12]);
            bits.record(20, [0]);
            bits.record(3, [0, 38, 0].into_iter().chain(functions));
        });
    });
    // STRTAB: an abbreviation of a literal code and a blob, and the blob.
    bits.block(23, TOP, |bits| {
        for (value, width) in [(2, WIDTH), (2, 5), (1, 1), (1, 8), (0, 1), (5, 3), (4, WIDTH)] {
            if width == 5 || width == 8 { bits.vbr(value, width) } else { bits.fixed(value, width) }
        }
        let strings: Vec<u8> = [USED.as_bytes()]
            .into_iter()
            .chain(names.iter().map(|name| name.as_bytes()))
            .flatten()
            .copied()
            .collect();
        bits.vbr(strings.len() as u64, 6);
        bits.align();
        bits.bytes.extend(&strings);
        bits.align();
    });
    bits.bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_use_what_is_needed() {
        let names = ["_R3one".to_owned(), "_ZN3two".to_owned()];
        let bitcode = module(b"x86_64-unknown-linux-gnu", b"e-m:e", &names);
        let parsed = BitcodeModule::parse(&bitcode).expect("it is bitcode");
        let found: Vec<_> = parsed.globals().iter().map(|global| parsed.name(global)).collect();
        assert_eq!(found, [&b"llvm.used"[..], b"_R3one", b"_ZN3two"]);
        assert_eq!(
            (parsed.triple(), parsed.data_layout()),
            (&b"x86_64-unknown-linux-gnu"[..], &b"e-m:e"[..])
        );
        assert!(BitcodeModule::parse(&module(b"x", b"e", &[])).expect("it is bitcode").globals().is_empty());
        let object = object(&bitcode);
        let file = File::parse(&object).expect("it is an object");
        assert_eq!(file.section(BITCODE).expect("it is whole").expect("it is there").1, bitcode);
    }

    #[test]
    fn members_are_found_by_short_and_long_names() {
        let mut archive = b"!<arch>\n".to_vec();
        let header = |name: &str, size: usize| format!("{name:<16}{:<32}{size:<10}`\n", "");
        archive.extend(header("//", 24).as_bytes());
        archive.extend(b"a long name.1234.rcgu.o/");
        archive.extend(header("/0", 3).as_bytes());
        archive.extend(b"one\n");
        archive.extend(header("b.rcgu.o/", 2).as_bytes());
        archive.extend(b"to");
        let found = members(&archive).expect("it is whole");
        let names: Vec<_> =
            found.iter().map(|(end, bytes)| (archive[..*end].ends_with(OWN), *bytes)).collect();
        assert_eq!(names, [(true, &b"one"[..]), (true, b"to")]);
        for end in 9..archive.len() {
            members(&archive[..end]);
        }
        let with = [archive, member(b"odd")].concat();
        assert_eq!(members(&with).expect("it is whole").len(), 3);
    }
}
