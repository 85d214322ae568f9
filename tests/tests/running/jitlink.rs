//! The runtime's linker against LLVM's own, JITLink, on objects that the engine emitted for programs of `sources/`.
//!
//! Both link an object at the same addresses: each section where ours has put it, and the same addresses for what the
//! object lacks, some near, some out of reach. Then all bytes of all loaded sections must be the same, except where
//! the two may differ by definition, and there
//! - the operand of a branch (PLT32) must lead to the same address, through whatever stub;
//! - an instruction that uses a GOT entry (GOTPCREL and its relaxable forms, with its opcode) must use an entry with
//!   the same address, or that address itself;
//! - the address of a function that the object defines is its stub for us and its code for JITLink.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use autojit_code::{Code, CodeMemory, Resolver, Symbol, Target, Unit, Usage, link, pack};
use autojit_tests::compile::{How, Link, Toolchain, object, rust_program};
use autojit_tests::llvm::CLANGXX;
use autojit_tests::run::{by_llvm, command, run, tool, warm_command};
use autojit_tests::scratch::{Scratch, kept, repository};
use goblin::elf::Elf;
use goblin::elf::reloc::{
    R_X86_64_64, R_X86_64_GOTPCREL, R_X86_64_GOTPCRELX, R_X86_64_NONE, R_X86_64_PC32, R_X86_64_PC64,
    R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX,
};
use goblin::elf::section_header::{SHF_ALLOC, SHT_NOBITS, SHT_RELA};
use sha2::{Digest, Sha256};

/// The address space of one link.
const MEMORY: usize = 4 << 20;

/// The host of JITLink, compiled.
fn host() -> PathBuf {
    let source = repository().join("tests/programs/jitlink/host.cpp");
    let config = |what: &str| {
        tool(command(concat!("llvm-config-", env!("LLVM_RELEASE"))).arg(what)).text().trim().to_owned()
    };
    let flags: Vec<_> =
        ["--cxxflags", "--ldflags", "--libs"].map(config).iter().flat_map(|text| words(text)).collect();
    let key = Sha256::new()
        .chain_update(fs::read(&source).expect("it is there"))
        .chain_update(config("--version"))
        .chain_update(flags.concat());
    kept(key, "host", |output| {
        tool(command(CLANGXX).arg("-O0").arg(&source).args(&flags).arg("-o").arg(output));
    })
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The objects that the engine emits while `program` runs: a cache keeps them, for their debug information.
fn objects_of(scratch: &Scratch, program: &Path) -> Vec<Vec<u8>> {
    drop(fs::remove_dir_all(scratch.path().join("cache")));
    let outcome = run(&mut by_llvm(warm_command(program, scratch.path())), scratch.path(), b"");
    assert!(outcome.status.success(), "{outcome}");
    let mut objects = Vec::new();
    for (path, _) in autojit_tests::cache::files(scratch, ".ajl") {
        let bytes = fs::read(path).expect("it is there");
        let key = bytes[24..56].try_into().expect("32 bytes");
        let generation = u64::from_le_bytes(bytes[56..64].try_into().expect("8 bytes"));
        let lines = pack::decode_lines(&bytes, &key, generation).expect("the runtime has just written it");
        objects.extend(lines.into_iter().map(|lines| lines.object.into_owned()));
    }
    assert!(!objects.is_empty(), "{} has compiled nothing", program.display());
    objects
}

/// Says the same addresses to both linkers.
struct Addresses {
    range: Range<usize>,
    /// By name, in the order of the questions.
    known: HashMap<String, usize>,
}

impl Addresses {
    /// Every third is out of reach, for what can be: nothing but calls and GOT entries.
    fn of(&mut self, name: &str, may_be_far: bool) -> usize {
        let number = self.known.len() + 1;
        let far = may_be_far && number.is_multiple_of(3);
        let base = if far { 0x7000_0000_0000 } else { self.range.end - MEMORY / 16 };
        *self.known.entry(name.to_owned()).or_insert(base + number * 32)
    }
}

impl Resolver for Addresses {
    fn resolve(&mut self, symbol: &Symbol<'_>, _: Usage, _: bool) -> Result<Target, String> {
        let Symbol::Name(name) = symbol else { return Err("objects have names".into()) };
        Ok(Target { address: self.of(name, false), pending: None })
    }
}

/// One object, linked by us, with what is known of it.
struct Linked<'a> {
    elf: Elf<'a>,
    code: Code,
    addresses: Addresses,
    /// Loaded sections: name, address, size, by index.
    sections: BTreeMap<usize, (&'a str, usize, usize)>,
}

fn link_ours(object: &[u8]) -> Linked<'_> {
    let elf = Elf::parse(object).expect("it is an object");
    // Any place will do, as nothing runs.
    let here = link_ours as *const () as usize & !0xfff;
    let memory = CodeMemory::with_options(here..here + 4096, MEMORY, true).expect("there is room");
    let memory: &'static CodeMemory = Box::leak(Box::new(memory));
    let mut addresses =
        Addresses { range: memory.newest().expect("it has an area").range(), known: HashMap::new() };
    let near: BTreeSet<usize> = relocations(&elf)
        .filter(|(_, relocation)| matches!(relocation.r_type, R_X86_64_PC32 | R_X86_64_PC64))
        .map(|(_, relocation)| relocation.r_sym)
        .collect();
    for (index, symbol) in elf.syms.iter().enumerate().filter(|(_, symbol)| symbol.st_shndx == 0) {
        if let Some(name) = elf.strtab.get_at(symbol.st_name).filter(|name| !name.is_empty()) {
            addresses.of(name, !near.contains(&index));
        }
    }
    let unit = Unit::of(object, &|_| None).expect("it is a good object");
    let code = link(&unit, memory, &mut addresses).and_then(autojit_code::Linked::commit).expect("it links");
    let sections: BTreeMap<_, _> = (unit.sections.iter())
        .map(|section| {
            let index = section.index as usize;
            let name = elf.shdr_strtab.get_at(elf.section_headers[index].sh_name).expect("it has a name");
            let address = code.segments[section.segment as usize] + section.offset as usize;
            (index, (name, address, section.size as usize))
        })
        .collect();
    let names: BTreeSet<_> = sections.values().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), sections.len(), "sections are told apart by name: {sections:?}");
    Linked { elf, code, addresses, sections }
}

/// The relocations of loaded sections, by the section's index.
fn relocations<'e>(elf: &'e Elf<'_>) -> impl Iterator<Item = (usize, goblin::elf::Reloc)> + 'e {
    elf.shdr_relocs.iter().flat_map(|(header, relocations)| {
        let header = &elf.section_headers[*header];
        assert_eq!(header.sh_type, SHT_RELA);
        let target = header.sh_info as usize;
        let loaded = elf.section_headers[target].sh_flags & u64::from(SHF_ALLOC) != 0;
        relocations.iter().filter(move |_| loaded).map(move |relocation| (target, relocation))
    })
}

/// JITLink's bytes by address, with the addresses of its stubs.
struct Theirs {
    blocks: BTreeMap<usize, Vec<u8>>,
    stubs: Vec<Range<usize>>,
}

/// What is read at an address.
trait Bytes {
    fn read(&self, address: usize, len: usize) -> Vec<u8>;

    fn number(&self, address: usize) -> i64 {
        i64::from_le_bytes(self.read(address, 8).try_into().expect("8 bytes"))
    }

    fn displacement(&self, address: usize) -> usize {
        i32::from_le_bytes(self.read(address, 4).try_into().expect("4 bytes")) as isize as usize
    }

    /// Whether there is a stub (`jmp *entry(%rip)`).
    fn is_stub(&self, address: usize) -> bool;

    /// Where a branch to `address` ends up.
    fn follow(&self, address: usize) -> usize {
        if !self.is_stub(address) {
            return address;
        }
        assert_eq!(self.read(address, 2), [0xff, 0x25], "the stub at {address:#x}");
        let entry = self.displacement(address + 2).wrapping_add(address + 6);
        self.number(entry) as usize
    }

    /// The address that the instruction with a GOTPCREL relocation at `place` uses in the end.
    fn used(&self, place: usize) -> usize {
        let operand = || self.displacement(place).wrapping_add(place + 4);
        match *self.read(place - 2, 2) {
            // lea; addr32 call
            [0x8d, _] | [0x67, 0xe8] => operand(),
            // jmp; nop
            [0xe9, _] => self.displacement(place - 1).wrapping_add(place + 3),
            // mov, call, jmp and others of what is in an entry
            _ => self.number(operand()) as usize,
        }
    }
}

impl Bytes for Linked<'_> {
    fn read(&self, address: usize, len: usize) -> Vec<u8> {
        let mut arenas = self.code.segments.iter().zip(self.code.bytes);
        let ours = arenas.any(|(start, size)| *start <= address && address + len <= start + size);
        assert!(ours, "{address:#x} is not ours");
        // SAFETY: it lies in committed code or its data.
        unsafe { std::slice::from_raw_parts(address as *const u8, len) }.to_vec()
    }

    fn is_stub(&self, address: usize) -> bool {
        let within = |(_, start, size): &(&str, usize, usize)| (*start..start + size).contains(&address);
        self.code.text.contains(&address) && !self.sections.values().any(within)
    }
}

impl Bytes for Theirs {
    fn read(&self, address: usize, len: usize) -> Vec<u8> {
        let (start, bytes) = self.blocks.range(..=address).next_back().expect("it lies in a block");
        bytes[address - start..][..len].to_vec()
    }

    fn is_stub(&self, address: usize) -> bool {
        self.stubs.iter().any(|stub| stub.contains(&address))
    }
}

/// Links all objects with JITLink, at the addresses of ours, but for symbols that `change` moves.
fn link_theirs(scratch: &Scratch, objects: &[Vec<u8>], ours: &[Linked<'_>], change: usize) -> Vec<Theirs> {
    let mut jobs = String::new();
    for (number, (object, ours)) in objects.iter().zip(ours).enumerate() {
        let path = scratch.file(&format!("object-{number}.o"), object);
        for (name, address, _) in ours.sections.values() {
            writeln!(jobs, "section {name} {address}").expect("strings take everything");
        }
        for (name, address) in &ours.addresses.known {
            writeln!(jobs, "symbol {name} {}", address + change).expect("likewise");
        }
        let extra = ours.addresses.range.end - MEMORY / 8;
        writeln!(jobs, "extra {extra}\nobject {}", path.display()).expect("likewise");
    }
    let input = scratch.file("jobs", jobs);
    let mut host = command(host());
    host.stdin(fs::File::open(input).expect("it was just written")).stdout(Stdio::piped());
    let output = host.output().expect("the host starts");
    std::io::stderr().write_all(&output.stderr).expect("stderr is open");
    assert!(output.status.success(), "JITLink: {}", output.status);
    let text = String::from_utf8(output.stdout).expect("it prints text");
    let mut all = Vec::new();
    let mut theirs = Theirs { blocks: BTreeMap::new(), stubs: Vec::new() };
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("block"), Some(section), Some(address), Some(hex)) => {
                let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
                let bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
                let address: usize = address.parse().expect("a number");
                if section == "$__STUBS" {
                    theirs.stubs.push(address..address + bytes.len());
                }
                theirs.blocks.insert(address, bytes);
            }
            _ => {
                assert_eq!(line, "end");
                all.push(std::mem::replace(
                    &mut theirs,
                    Theirs { blocks: BTreeMap::new(), stubs: Vec::new() },
                ));
            }
        }
    }
    assert_eq!(all.len(), objects.len());
    all
}

/// What differs, and which kinds of relocations were compared.
fn compare(ours: &Linked<'_>, theirs: &Theirs, kinds: &mut BTreeSet<u32>) -> Vec<String> {
    let mut differences = Vec::new();
    // Places whose bytes may differ.
    let mut places: BTreeSet<usize> = BTreeSet::new();
    // Our addresses of what the object defines are answers of ours to its linker.
    let own: HashMap<usize, usize> = (ours.elf.syms.iter())
        .filter_map(|symbol| {
            let (_, section, _) = ours.sections.get(&symbol.st_shndx)?;
            let said = ours.addresses.known.get(ours.elf.strtab.get_at(symbol.st_name)?)?;
            Some((*said, section + symbol.st_value as usize))
        })
        .collect();
    let defined = |address: usize| own.get(&address).copied().unwrap_or(address);
    for (section, relocation) in relocations(&ours.elf) {
        let Some((name, start, _)) = ours.sections.get(&section) else { continue };
        let place = start + relocation.r_offset as usize;
        let addend = relocation.r_addend.unwrap_or(0) as usize;
        let relative = |bytes: &dyn Bytes| bytes.displacement(place).wrapping_add(place).wrapping_sub(addend);
        let (both, lead, width) = match relocation.r_type {
            R_X86_64_NONE => continue,
            R_X86_64_64 => {
                let value = |bytes: &dyn Bytes| (bytes.number(place) as usize).wrapping_sub(addend);
                ([value(ours), value(theirs)], 0, 8)
            }
            R_X86_64_PC64 => {
                let value = |bytes: &dyn Bytes| (bytes.number(place) as usize).wrapping_add(place - addend);
                ([value(ours), value(theirs)], 0, 8)
            }
            R_X86_64_PC32 => ([relative(ours), relative(theirs)], 0, 4),
            R_X86_64_PLT32 => ([ours.follow(relative(ours)), theirs.follow(relative(theirs))], 0, 4),
            R_X86_64_GOTPCREL | R_X86_64_GOTPCRELX | R_X86_64_REX_GOTPCRELX => {
                ([ours.used(place), theirs.used(place)], 2, 4)
            }
            other => panic!("relocation {other} in {name} is not compared"),
        };
        kinds.insert(relocation.r_type);
        let [our, their] = both;
        if defined(our) != their {
            let offset = relocation.r_offset;
            differences
                .push(format!("{name}+{offset:#x}, relocation {}: {our:#x}, {their:#x}", relocation.r_type));
        }
        places.extend(place - lead..place + width);
    }
    for (index, (name, start, size)) in &ours.sections {
        if ours.elf.section_headers[*index].sh_type == SHT_NOBITS {
            continue;
        }
        for at in *start..start + size {
            if !places.contains(&at) && ours.read(at, 1) != theirs.read(at, 1) {
                differences.push(format!("{name}+{:#x}: other bytes", at - start));
            }
        }
    }
    differences
}

/// Compares what both make of all objects; returns the kinds of relocations in them.
#[track_caller]
fn check(scratch: &Scratch, program: &Path) -> BTreeSet<u32> {
    let objects = objects_of(scratch, program);
    let ours: Vec<_> = objects.iter().map(|object| link_ours(object)).collect();
    let mut kinds = BTreeSet::new();
    for (ours, theirs) in ours.iter().zip(link_theirs(scratch, &objects, &ours, 0)) {
        let differences = compare(ours, &theirs, &mut kinds);
        assert!(differences.is_empty(), "ours and JITLink's: {differences:#?}");
    }
    // A comparison of nothing finds nothing: with other addresses there must be differences.
    let moved = link_theirs(scratch, &objects, &ours, 16);
    let mut differ = ours.iter().zip(&moved).map(|(ours, theirs)| compare(ours, theirs, &mut kinds));
    assert!(differ.any(|differences| !differences.is_empty()), "other addresses, and nothing differs");
    kinds
}

fn levels() -> [Vec<String>; 2] {
    ["-O0", "-O2"].map(|level| vec![level.to_owned(), "-g".to_owned()])
}

/// Builds a C or C++ program of `sources/`, some files of it plainly.
fn build(scratch: &Scratch, name: &str, files: &[(How, &str)], flags: &[String]) -> PathBuf {
    let source = |file: &str| repository().join("tests/sources").join(name).join(file);
    let directory = scratch.directory("objects");
    let objects: Vec<_> =
        files.iter().map(|(how, file)| object(*how, &source(file), flags, &directory)).collect();
    let cxx = files.iter().any(|(_, file)| file.ends_with(".cpp"));
    let output = scratch.path().join("program");
    Link { linker: "lld", cxx, flags: &[] }.run(&objects, &output);
    output
}

#[test]
fn c_is_linked_as_jitlink_does() {
    let scratch = Scratch::new("jitlink-c");
    for flags in levels() {
        let kinds = check(&scratch, &build(&scratch, "switches", &[(How::Lazy, "switches.c")], &flags));
        assert!(kinds.contains(&R_X86_64_PC32) && kinds.contains(&R_X86_64_PLT32), "{kinds:?}");
    }
}

#[test]
fn cxx_is_linked_as_jitlink_does() {
    let scratch = Scratch::new("jitlink-cxx");
    let files = [(How::Lazy, "exceptions.cpp"), (How::Plain, "relay.cpp")];
    for flags in levels() {
        let kinds = check(&scratch, &build(&scratch, "exceptions", &files, &flags));
        let all = [R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_REX_GOTPCRELX];
        assert!(all.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    }
}

#[test]
fn rust_is_linked_as_jitlink_does() {
    let scratch = Scratch::new("jitlink-rust");
    let source = repository().join("tests/sources/rust_basics/rust_basics.rs");
    for level in ["0", "2"] {
        let flags = [format!("-Copt-level={level}"), "-g".into()];
        let program = rust_program(How::Lazy, Toolchain::Stable, &source, &[], &flags, scratch.path());
        let kinds = check(&scratch, &program);
        assert!(kinds.contains(&R_X86_64_64) && kinds.contains(&R_X86_64_GOTPCRELX), "{kinds:?}");
    }
}
