//! Image packs: code of several modules in groups, read back and linked; and image packs with damage: refused or
//! linked, never a panic.

mod support;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use autojit_code::image_pack::{
    self, ELSEWHERE, Facts, Group, Import, Index, NONE, Reference, ReferenceKind, References, still_useful,
};
use autojit_code::pack::{self, Key, PackError};
use autojit_code::{CodeMemory, Resolver, Symbol, Target, Unit, Usage, link};
use support::{Symbols, compile, memory};
use xxhash_rust::xxh3::xxh3_64;

const KEY: Key = [7; 32];

/// Modules, at positions 1, 3, 4: function 0 of the first calls that of the second by its import 5; that calls its
/// local function 1, and that of the third by import 9.
const MODULES: [(u32, &str); 3] = [
    (1, "int second(int);\nint first(int n) { return second(n) + 100; }\n"),
    (
        3,
        "int third(int);\n__attribute__((noinline)) int local(int n) { return n * 2; }\nint second(int n) { return local(n) + third(n); }\n",
    ),
    (4, "int third(int n) { return n + 3; }\n"),
];

fn number(name: &str) -> Option<Symbol<'static>> {
    Some(match name {
        "first" => Symbol::Function(0),
        "local" => Symbol::Function(1),
        _ => return None,
    })
}

fn unit(module: usize) -> Unit<'static> {
    let object: &'static [u8] = compile("c", MODULES[module].1, &["-O1", "-g", "-fno-inline"]).leak();
    // What a module defines is its function; what it does not is an import.
    let number = |name: &str| match (module, name) {
        (1, "second") | (2, "third") => Some(Symbol::Function(0)),
        (0, "second") => Some(Symbol::Import(5)),
        (1, "third") => Some(Symbol::Import(9)),
        _ => number(name),
    };
    let mut unit = Unit::of(object, &number).expect("a good object");
    unit.lines.push(unit.lines_of(object));
    unit
}

struct Image;

impl Facts for Image {
    fn function(&self, module: u32, index: u32) -> Option<Reference> {
        let kind = if index == 1 { ReferenceKind::Local } else { ReferenceKind::Stub };
        Some(Reference { module, index, other: 20 + index, slot: module * 10, kind })
    }

    fn import(&self, module: u32, import: u32) -> Import {
        let target = match (module, import) {
            (1, 5) => Some((3, 0)),
            (3, 9) => Some((4, 0)),
            (20.., _) => None,
            other => panic!("{other:?} is no import"),
        };
        Import { target, value: None, near: false, absent: module == 20 }
    }
}

fn key_at(position: u32) -> Key {
    [position as u8; 32]
}

/// The first two modules in a group, the third in another.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let units = [unit(0), unit(1), unit(2)];
        let group = |range: std::ops::Range<usize>| {
            let units: Vec<_> = range.map(|at| (MODULES[at].0, &units[at])).collect();
            Group::of(&units, &Image, &KEY).expect("it is small")
        };
        image_pack::encode(&[group(0..2), group(2..3)], key_at, &KEY, None).expect("the packs are good")
    })
}

fn open(bytes: &[u8]) -> Result<Index<'_>, PackError> {
    let head = image_pack::packs_at(bytes).unwrap_or(bytes.len());
    Index::open(&bytes[..head], bytes.len(), &KEY)
}

/// Resolves as the runtime does: imports lead to functions of the group, or elsewhere.
struct Names<'a> {
    references: References<'a>,
    memory: &'static CodeMemory,
    elsewhere: usize,
    /// Whether imports lead to the group.
    inside: bool,
    asked: BTreeSet<(u32, u32)>,
}

impl Resolver for Names<'_> {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        match symbol {
            Symbol::Name(_) => Symbols::new(self.memory).resolve(symbol, usage, weak),
            Symbol::Function(number) | Symbol::Import(number) => {
                let reference = self.references.get(*number).ok_or("no such number")?;
                self.asked.insert((reference.module, reference.index));
                Ok(Target { address: self.elsewhere, pending: None })
            }
        }
    }

    fn defines(&mut self, symbol: &Symbol<'_>) -> bool {
        match symbol {
            Symbol::Name(_) => false,
            Symbol::Function(_) => true,
            Symbol::Import(_) => self.inside,
        }
    }
}

extern "C" fn elsewhere(n: i32) -> i32 {
    n + 1000
}

/// Calls `first`, which is in the first group.
fn call_first(inside: bool) -> (i32, BTreeSet<(u32, u32)>) {
    let bytes = whole();
    let index = open(bytes).expect("it is whole");
    let unit = pack::decode(&bytes[index.groups[0].pack.clone()], &KEY).expect("it is whole");
    let references = index.references(0).expect("they are whole");
    let memory = memory();
    let elsewhere = elsewhere as *const () as usize;
    let mut names = Names { references, memory, elsewhere, inside, asked: BTreeSet::new() };
    let code = link(&unit, memory, &mut names).expect("it can be linked").commit().expect("there is room");
    let is_first = |number: u32| references.get(number).is_some_and(|it| (it.module, it.index) == (0, 0));
    let first =
        unit.functions.iter().find(|it| matches!(it.symbol, Symbol::Function(number) if is_first(number)));
    let first = code.text.start + first.expect("it is there").offset as usize;
    // SAFETY: a committed function of this type, from the source above.
    let result = unsafe { std::mem::transmute::<usize, extern "C" fn(i32) -> i32>(first)(5) };
    (result, names.asked)
}

#[test]
fn calls_by_way_of_imports_stay_in_their_group() {
    // 5 * 2, and the third module's elsewhere.
    let (result, asked) = call_first(true);
    assert_eq!(result, 10 + 1005 + 100);
    assert_eq!(asked, BTreeSet::from([(1, 9)]), "only the import of another group");
    // If an import leads elsewhere now.
    let (result, asked) = call_first(false);
    assert_eq!(result, 1005 + 100);
    assert_eq!(asked, BTreeSet::from([(0, 5), (1, 9)]));
}

#[test]
fn functions_are_found_by_module() {
    let bytes = whole();
    let index = open(bytes).expect("it is whole");
    let modules: Vec<_> =
        (0..index.len() as u32).map(|number| index.module(number).expect("in range")).collect();
    assert_eq!(modules, [(&[1; 32], 1), (&[3; 32], 3), (&[4; 32], 4)]);
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(|position| index.module_at(position)),
        [None, Some(0), None, Some(1), Some(2), None]
    );
    let groups = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0)];
    let groups = groups.map(|(module, function)| Some(index.find(module, function)?.group));
    assert_eq!(groups, [Some(0), None, Some(0), Some(0), Some(1), None, None]);
    let references = index.references(0).expect("they are whole");
    let all: Vec<_> =
        (0..references.len() as u32).map(|number| references.get(number).expect("in range")).collect();
    let second = all.iter().position(|it| (it.module, it.index, it.kind) == (1, 0, ReferenceKind::Stub));
    let second = second.expect("it is there");
    assert_eq!((all[second].other, all[second].slot), (20, 30));
    let import =
        all.iter().find(|it| it.kind == ReferenceKind::Import && it.index == 5).expect("it is there");
    assert_eq!(import.other, second as u32);
    let outside =
        all.iter().find(|it| it.kind == ReferenceKind::Import && it.index == 9).expect("it is there");
    assert_eq!(outside.other, ELSEWHERE, "the other group has it");
    for (group, range) in index.groups.iter().enumerate() {
        let code = &bytes[range.pack.clone()];
        let generation = pack::generation(code).expect("it has lines");
        let lines =
            pack::decode_lines(&bytes[range.lines.clone()], &KEY, generation).expect("they are whole");
        assert_eq!(lines.len(), [2, 1][group]);
        assert_eq!(range.pack.start % 4096, 0);
    }
}

#[test]
fn groups_are_written_again_as_long_as_they_are_of_use() {
    let bytes = whole();
    let index = open(bytes).expect("it is whole");
    let again = |gone: &[u32], covered: &[(u32, u32)]| {
        // Every module is one position farther back than it was.
        let now = |number: u32| {
            index.module(number).map(|(_, position)| position + 1).filter(|it| !gone.contains(it))
        };
        let covered = |module, index| covered.contains(&(module, index));
        still_useful(bytes, &index, &KEY, now, covered, |module, _| Some(module * 10))
    };
    let groups = again(&[], &[]);
    assert_eq!(groups.len(), 2);
    let moved =
        image_pack::encode(&groups, |position| key_at(position - 1), &KEY, None).expect("the packs are good");
    let moved_index = open(&moved).expect("it is whole");
    assert_eq!(moved_index.module(1), Some((&[3; 32], 4)));
    assert_eq!(moved_index.find(1, 0).map(|it| it.group), Some(0));
    // One of three functions is gone, then two; one is in newer code, then two.
    let count = |gone: &[u32], covered: &[(u32, u32)]| again(gone, covered).len();
    assert_eq!((count(&[2], &[]), count(&[4], &[]), count(&[2, 4, 5], &[])), (2, 1, 0));
    assert_eq!((count(&[], &[(2, 0)]), count(&[], &[(2, 0), (4, 1)]), count(&[], &[(5, 0)])), (2, 1, 1));
    // What is gone is no longer found.
    let rest = image_pack::encode(&again(&[2], &[]), |position| key_at(position - 1), &KEY, None)
        .expect("the packs are good");
    let rest = open(&rest).expect("it is whole");
    assert_eq!((rest.len(), rest.module(0)), (2, Some((&[3; 32], 4))));
}

/// Everything that the runtime does with an image pack.
fn use_it(bytes: &[u8]) -> Result<(), String> {
    let text = |error: PackError| error.to_string();
    let index = open(bytes).map_err(text)?;
    for module in 0..index.len() as u32 + 1 {
        index.find(module, 0);
    }
    for (group, range) in index.groups.iter().enumerate() {
        let references = index.references(group).map_err(text)?;
        let code = &bytes[range.pack.clone()];
        let description = pack::check(code, &KEY).map_err(text)?;
        let unit = pack::decode_checked(&code[..description]).map_err(text)?;
        let elsewhere = elsewhere as *const () as usize;
        let memory = memory();
        let mut names = Names { references, memory, elsewhere, inside: true, asked: BTreeSet::new() };
        link(&unit, memory, &mut names).map_err(|error| error.to_string())?;
    }
    Ok(())
}

#[test]
fn damage_is_found() {
    let whole = whole();
    assert_eq!(use_it(whole), Ok(()));
    let index = open(whole).expect("it is whole");
    let mut covered: Vec<_> = (0..image_pack::index_len(whole).expect("it is whole")).collect();
    let references = image_pack::index_len(whole).expect("it is whole");
    let count: usize = (0..2).map(|group| index.references(group).expect("they are whole").len()).sum();
    covered.extend(references..references + count * 20);
    for range in &index.groups {
        covered.extend(
            range.pack.start..range.pack.start + pack::code_len(&whole[range.pack.clone()]).expect("whole"),
        );
    }
    for at in covered {
        let mut damaged = whole.to_vec();
        damaged[at] ^= 1 << (at % 8);
        assert!(use_it(&damaged).is_err(), "byte {at}");
    }
    for len in 0..whole.len() {
        assert!(use_it(&whole[..len]).is_err(), "the first {len} bytes");
    }
    assert!(use_it(&[whole, &[0]].concat()).is_err());
    assert_eq!(open(b"something else").err(), Some(PackError::Foreign));
    let head = image_pack::packs_at(whole).expect("it is whole");
    assert_eq!(Index::open(&whole[..head], whole.len(), &[8; 32]).err(), Some(PackError::Key));
}

#[test]
fn tables_that_contradict_one_another() {
    let whole = whole();
    let end = image_pack::index_len(whole).expect("it is whole");
    // Under checksums that are right.
    for at in 56..end {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.to_vec();
            damaged[at] = value;
            let Some(end) = image_pack::index_len(&damaged) else { continue };
            let checksum = xxh3_64(&damaged[24..end]);
            damaged[16..24].copy_from_slice(&checksum.to_le_bytes());
            // Some of these are good: what counts is that nothing is read that is not there.
            let Ok(index) = open(&damaged) else { continue };
            for (group, range) in index.groups.iter().enumerate() {
                let _ = index.references(group).map(|references| references.get(NONE));
                let _ = pack::check(&damaged[range.pack.clone()], &KEY);
                let _ = pack::generation(&damaged[range.lines.clone()]);
            }
            (0..=index.len() as u32).for_each(|module| {
                let _ = (index.module(module), index.module_at(module), index.find(module, 0));
            });
        }
    }
}

/// Two modules that take the address of `far` and call it, each by an import of its own, and what is known of those.
struct Far {
    near: bool,
    value: Option<u64>,
}

impl Facts for Far {
    fn function(&self, module: u32, index: u32) -> Option<Reference> {
        Image.function(module, index)
    }

    fn import(&self, _: u32, index: u32) -> Import {
        let value = self.value.map(|value| value + u64::from(index));
        Import { target: None, value, near: self.near && index == 7, absent: false }
    }
}

#[test]
fn imports_that_lead_to_the_same_are_one() {
    const TEXT: &str = "int far(int);\ntypedef int type(int);\ntype *address(void) { return far; }\n\
                        int call(int n) { return far(n) + 1; }\n";
    let object = compile("c", TEXT, &["-O1", "-fPIC", "-fno-plt"]);
    let unit = || {
        let number = |name: &str| match name {
            "far" => Some(Symbol::Import(7)),
            "address" => Some(Symbol::Function(0)),
            "call" => Some(Symbol::Function(2)),
            _ => None,
        };
        Unit::of(&object, &number).expect("a good object")
    };
    let units = [unit(), unit()];
    let group = |near: bool, value: Option<u64>| {
        let units: Vec<_> = units.iter().zip(1..).map(|(unit, module)| (module, unit)).collect();
        Group::of(&units, &Far { near, value }, &KEY).expect("it is small")
    };
    let count = |group: &Group<'_>| {
        let unit = pack::decode(&group.pack, &KEY).expect("it is whole");
        (unit.externals.len(), unit.got.len(), unit.fixups.groups().count())
    };
    // Called, and its address taken; each in its own GOT entry, unless it is in the image.
    let (apart, together, near) = (group(false, None), group(false, Some(8)), group(true, Some(8)));
    let of_same = |group: &Group<'_>| -> Vec<u32> {
        let imports = group.references.iter().filter(|reference| reference.kind == ReferenceKind::Import);
        imports.map(|import| import.slot).collect()
    };
    assert_eq!(of_same(&apart), [NONE, NONE]);
    let first = near.references.iter().position(|it| it.kind == ReferenceKind::Import).expect("it is there");
    assert_eq!((of_same(&together), of_same(&near)), (vec![NONE, first as u32], vec![NONE, first as u32]));
    assert_eq!(count(&apart).0, 2 * count(&together).0);
    assert_eq!(count(&apart).1, 2 * count(&together).1);
    assert!(count(&together).1 > 0);
    assert_eq!(count(&near).1, 0, "what is in the image needs no GOT entry");
    // And the code does the same.
    let memory = memory();
    for group in [apart, together, near] {
        let unit = pack::decode(&group.pack, &KEY).expect("it is whole");
        let mut names = Everything(memory.newest().map_or(0, |area| area.range().start));
        // A function beside the code, as one in the image is.
        let stub = link(&pack_of_far(), memory, &mut names).expect("it can be linked");
        let far = stub.commit().expect("there is room").text.start;
        let code = link(&unit, memory, &mut Everything(far)).expect("it can be linked");
        let code = code.commit().expect("there is room");
        let all: Vec<_> =
            unit.functions.iter().map(|it| (it.symbol, code.text.start + it.offset as usize)).collect();
        assert_eq!(all.len(), 4);
        for (symbol, at) in all {
            let Symbol::Function(number) = symbol else { panic!("{symbol:?}") };
            if group.references[number as usize].index == 0 {
                // SAFETY: a committed function of this type, from the source above.
                assert_eq!(unsafe { std::mem::transmute::<usize, extern "C" fn() -> usize>(at)() }, far);
            } else {
                // SAFETY: as above.
                assert_eq!(unsafe { std::mem::transmute::<usize, extern "C" fn(i32) -> i32>(at)(5) }, 36);
            }
        }
    }
}

/// Everything leads to one address.
struct Everything(usize);

impl Resolver for Everything {
    fn resolve(&mut self, _: &Symbol<'_>, _: Usage, _: bool) -> Result<Target, String> {
        Ok(Target { address: self.0, pending: None })
    }
}

fn pack_of_far() -> Unit<'static> {
    let object: &'static [u8] = compile("c", "int far(int n) { return n * 7; }\n", &["-O1"]).leak();
    Unit::of(object, &|_| None).expect("a good object")
}
