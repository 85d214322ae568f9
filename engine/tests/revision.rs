//! Code and its generator's name belong together: what users have in their caches is taken for as long as the name is the
//! same, so the name changes with the code, and with nothing else.

mod common;

use autojit_abi::GENERATOR;
use common::{AS_BUILT, Module, container_of_c, level};
use goblin::elf::section_header::SHF_ALLOC;

const NAMES: [&str; 5] = ["table", "sum", "text", "scale", "walk"];

/// Integers, floating point, vectors, memory, calls, a switch with a table, a loop for the optimiser.
const SOURCE: &str = include_str!("revision.c");

/// What the five functions are compiled to: each with the bytes of its sections and their relocations.
fn digest() -> String {
    let mut parts = Vec::new();
    for speed in [0, 2] {
        let container = container_of_c(SOURCE, &["-g", &format!("-O{speed}")], &NAMES, level(speed));
        for root in 0..NAMES.len() {
            let mut module = Module::open(&container, AS_BUILT).unwrap();
            let object = module.compile(root as u32, |_| false).unwrap();
            let parsed = common::Parsed::new(&object);
            let sections = &parsed.elf.section_headers;
            let is_loaded = |index: usize| sections[index].sh_flags & u64::from(SHF_ALLOC) != 0;
            for index in (0..sections.len()).filter(|&index| is_loaded(index)) {
                parts.push(object[sections[index].file_range().unwrap_or_default()].to_vec());
            }
            for (table, relocations) in &parsed.elf.shdr_relocs {
                if is_loaded(sections[*table].sh_info as usize) {
                    parts.extend(relocations.iter().map(|one| format!("{one:?}").into_bytes()));
                }
            }
        }
    }
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    autojit_store::digest(&parts).map(|byte| format!("{byte:02x}")).concat()
}

/// The file has a line for each version of LLVM that was tried: the name, then the digest.
#[test]
fn the_same_name_stands_for_the_same_code() {
    let name = std::str::from_utf8(&GENERATOR).expect("ASCII").trim_end_matches('\0');
    let found = digest();
    assert_eq!(found, digest(), "two compilations differ");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/revisions.txt");
    let known = std::fs::read_to_string(path).expect("the record is there");
    let Some(recorded) = known.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")) else {
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(path, format!("{known}{name}: {found}\n")).expect("the record can be written");
            return;
        }
        let (revision, _) = name.split_once(',').expect("the version of LLVM stands behind a comma");
        assert!(known.contains(revision), "no code of {revision:?} is recorded: BLESS=1 does");
        return;
    };
    assert_eq!(
        found, recorded,
        "{name:?} stands for other code than before: raise its revision (autojit_abi), then run with BLESS=1"
    );
}
