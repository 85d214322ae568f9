//! Groups of an image pack that were linked ahead: their pages run where they were linked for, and are refused elsewhere.

mod support;

use std::ops::Range;
use std::sync::Mutex;

use autojit_code::image_pack::{self, Facts, Group, Import, Index, NONE, Reference, ReferenceKind};
use autojit_code::pack::{self, Key};
use autojit_code::prelink::{Binding, Stub, prelink};
use autojit_code::prelinked::{Base, Prelinked, Summary, Tables};
use autojit_code::unit::External;
use autojit_code::{Booking, CodeMemory, LinkError, Symbol, Unit, reservation};
use support::{compile, image};
use xxhash_rust::xxh3::xxh3_64;

const KEY: Key = [7; 32];

/// Modules, at positions 1 and 3: function 0 of the first calls that of the second by import 5, what is outside by
/// import 6, and its function 1, which has no code. The constant of the second leads to itself.
const MODULES: [(u32, &str); 2] = [
    (
        1,
        "int second(int); int outside(int); int cold(int);\n\
         int first(int n) { return second(n) * 1000 + outside(n) * 10 + cold(n); }\n",
    ),
    (
        3,
        "static const int value = 7; static const int *const pointer = &value;\n\
         int second(int n) { const int *const volatile *p = &pointer; return n + **p; }\n",
    ),
];

fn unit(module: usize) -> Unit<'static> {
    let object: &'static [u8] = compile("c", MODULES[module].1, &["-O1", "-fPIC"]).leak();
    let number = |name: &str| match (module, name) {
        (0, "first") | (1, "second") => Some(Symbol::Function(0)),
        (0, "cold") => Some(Symbol::Function(1)),
        (0, "second") => Some(Symbol::Import(5)),
        (0, "outside") => Some(Symbol::Import(6)),
        _ => None,
    };
    Unit::of(object, &number).expect("a good object")
}

struct Image;

impl Facts for Image {
    fn function(&self, module: u32, index: u32) -> Option<Reference> {
        let kind = if index == 1 { ReferenceKind::Local } else { ReferenceKind::Stub };
        Some(Reference { module, index, other: NONE, slot: NONE, kind })
    }

    fn import(&self, _: u32, _: u32) -> Import {
        Import::default()
    }
}

extern "C" fn outside(n: i32) -> i32 {
    n + 1
}

extern "C" fn trampoline() {}

/// The groups of a file, each of one module, linked ahead for a range near the image that is free.
fn linked() -> (Vec<u8>, Prelinked) {
    let units = [unit(0), unit(1)];
    let group = |at: usize| Group::of(&[(MODULES[at].0, &units[at])], &Image, &KEY).expect("it is small");
    let groups = [group(0), group(1)];
    let units = groups.each_ref().map(|group| pack::decode(&group.pack, &KEY).expect("it is whole"));
    let second = units[1].functions.get(0).expect("it is there").offset;
    let known = |group: usize, external: &External<'_>| {
        let reference = match external.symbol {
            Symbol::Function(number) | Symbol::Import(number) => groups[group].references[number as usize],
            Symbol::Name(_) => return None,
        };
        Some(match (group, reference.kind, reference.index) {
            (0, ReferenceKind::Import, 5) => Binding::Code(1, second),
            (0, ReferenceKind::Import, 6) => Binding::Outside,
            (0, ReferenceKind::Local, 1) => Binding::Stub(0),
            other => panic!("{other:?}"),
        })
    };
    let stubs = [Stub { record: image().start + 8, index: 1, code: None }];
    let choose = |size: usize| reservation::unused(&image(), size);
    let linked = prelink(&units, image().start, &stubs, known, choose).expect("it can be linked");
    let mut linked = linked.expect("there is room");
    assert_eq!(linked.outsides.len(), 1);
    linked.stubs = vec![[1, 1]];
    // What the runtime knows of it does not matter here.
    let symbol = Symbol::Import(6);
    let usage = autojit_code::Usage::Call;
    let external = autojit_code::prelinked::Outside { symbol, module: 1, inline: false, usage, weak: false };
    linked.externals = vec![external];
    linked.inline = vec![[1, 2, 16], [1, 7, 32], [MODULES[1].0, 2, 48]];
    linked.got = vec![[4096, 64], [4104, 8192]];
    let file = image_pack::encode(&groups, |position| [position as u8; 32], &KEY, Some(&linked))
        .expect("it is good");
    (file, linked)
}

fn open(file: &[u8]) -> Summary {
    let head = image_pack::packs_at(file).expect("it is whole");
    Index::open(&file[..head], file.len(), &KEY).expect("it is whole").ahead.expect("it was linked ahead")
}

/// A copy of the pages, as if they were mapped from the file.
fn pages(file: &[u8], summary: &Summary) -> &'static mut [u8] {
    let from = &file[summary.pages()];
    let copy = autojit_sys::map_pages(from.len()).expect("there is memory");
    // SAFETY: fresh pages of this length, which nothing else refers to.
    let pages = unsafe { std::slice::from_raw_parts_mut(copy, from.len()) };
    pages.copy_from_slice(from);
    pages
}

/// Tests that take the same addresses do so one after the other.
static ADDRESSES: Mutex<()> = Mutex::new(());

/// Maps the pages at `start`; false if they are refused.
fn adopt(memory: &CodeMemory, file: &[u8], summary: &Summary, start: usize) -> bool {
    let tables = &file[summary.tables..][..summary.tables_len];
    let tables = Tables::open(tables, summary).expect("they are whole");
    let complete = |bytes: &mut [u8]| {
        for word in tables.words() {
            let base = match word.base {
                Base::Image => image().start,
                Base::External(0) => outside as *const () as usize,
                Base::External(other) => panic!("{other} is no external"),
                Base::Trampoline => trampoline as *const () as usize,
            };
            let value = base.wrapping_add_signed(word.addend as isize);
            bytes[word.at as usize..][..8].copy_from_slice(&value.to_le_bytes());
        }
    };
    memory.adopt(pages(file, summary), start, summary.lens, complete).expect("it can be mapped")
}

fn permissions(range: &Range<usize>) -> String {
    let maps = std::fs::read_to_string("/proc/self/maps").expect("it is there");
    let line = maps.lines().find(|line| line.starts_with(&format!("{:x}-", range.start)));
    line.and_then(|line| line.split(' ').nth(1)).unwrap_or("none").to_owned()
}

#[test]
fn pages_run_where_they_were_linked_for() {
    let _alone = ADDRESSES.lock();
    let (file, _) = linked();
    let summary = open(&file);
    assert!(image_pack::pages_are_good(&file));
    let start = image().start.wrapping_sub(summary.distance);
    let memory = CodeMemory::new(image(), Booking::default());
    assert!(adopt(&memory, &file, &summary, start));
    let [text, rodata, data] = summary.lens;
    for (part, expected) in [
        (start..start + text, "--xp"),
        (start + text..start + text + rodata, "r--p"),
        (start + text + rodata..start + text + rodata + data, "rw-p"),
    ] {
        assert_eq!(permissions(&part), expected);
    }
    // The range is taken now: what is refused stays as it was, and is linked as ever.
    let other = CodeMemory::new(image(), Booking::default());
    assert!(!adopt(&other, &file, &summary, start));
    assert!(!adopt(&other, &file, &summary, start.wrapping_add(1 << 40)), "it is out of reach");
    assert!(other.newest().is_none());

    let tables: &'static [u8] = file[summary.tables..][..summary.tables_len].to_vec().leak();
    let tables = Tables::open(tables, &summary).expect("it is whole");
    let codes: Vec<_> = tables.codes(start).collect();
    assert_eq!(codes.len(), 3, "two groups, and the stubs");
    assert!(codes.iter().all(|code| !code.eh_frame.is_empty()));
    // The function without code gets some.
    extern "C" fn cold(n: i32) -> i32 {
        n + 2
    }
    let (stub, slot) = tables.stub(start, 0, 1).expect("it has a stub");
    assert!(codes[2].text.contains(&stub) && codes[2].text.contains(&usize::from_le_bytes(read(slot))));
    assert_eq!(tables.stub(start, 1, 1), None);
    let inline = [(0, 2), (0, 7), (1, 2), (0, 3), (1, 7), (2, 2)]
        .map(|(module, it)| tables.inline_function(module, it));
    assert_eq!(inline, [Some(16), Some(32), Some(48), None, None, None]);
    assert!(tables.got().eq([[4096, 64], [4104, 8192]]));
    // SAFETY: a slot among the pages, which is read by the stub alone.
    unsafe { (slot as *mut usize).write(cold as *const () as usize) };
    // SAFETY: the only function of the first group, of this type, in published pages.
    let first: extern "C" fn(i32) -> i32 = unsafe { std::mem::transmute(codes[0].text.start) };
    assert_eq!(first(5), 12 * 1000 + 6 * 10 + 7);

    // New code goes elsewhere, and with the memory the pages go.
    let address = memory.keep_data(8, |_, bytes| bytes.fill(1)).expect("there is room");
    assert!(!(start..start + text + rodata + data).contains(&address));
    // SAFETY: nothing runs in it any more.
    unsafe { memory.release() };
    assert_eq!(permissions(&(start..start + text)), "none");
    let again = CodeMemory::new(image(), Booking::default());
    assert!(adopt(&again, &file, &summary, start), "the range is free again");
    // SAFETY: as above.
    unsafe { again.release() };
}

fn read(address: usize) -> [u8; 8] {
    // SAFETY: a word of published pages.
    unsafe { *(address as *const [u8; 8]) }
}

#[test]
fn memory_without_files_refuses_them() {
    let _alone = ADDRESSES.lock();
    let (file, _) = linked();
    let summary = open(&file);
    let start = image().start.wrapping_sub(summary.distance);
    for memory in [
        CodeMemory::new_private(image(), Booking::default()),
        CodeMemory::new_for_debugger(image(), Booking::default()),
    ] {
        assert!(!adopt(&memory, &file, &summary, start));
    }
}

/// What text cannot refer to by way of the GOT keeps it from being linked ahead.
#[test]
fn text_that_each_process_completes() {
    let link = |source: &str, flags: &[&str], binding: Binding| {
        let object: &'static [u8] = compile("c", source, flags).leak();
        let units = [Unit::of(object, &|_| None).expect("a good object")];
        prelink(&units, image().start, &[], |_, _| Some(binding), |size| reservation::unused(&image(), size))
    };
    let source = "extern int there; int *f(void) { return &there; }\n";
    let outside = link(source, &["-O1", "-fno-pic"], Binding::Outside);
    assert!(matches!(outside, Err(LinkError::OutOfReach(_))), "{outside:?}");
    // By way of the GOT it can.
    let linked =
        link(source, &["-O1", "-fPIC"], Binding::Outside).expect("by way of the GOT").expect("there is room");
    assert_eq!((linked.words.len(), linked.absolute), (1, 0));
    // 32 bits are of an image that is where it was.
    let low = link(source, &["-O1", "-fno-pic"], Binding::Image(0x40_0000)).expect("it fits");
    assert_eq!(low.expect("there is room").absolute, image().start);
}

#[test]
fn damage_is_refused() {
    let (file, _) = linked();
    let summary = open(&file);
    let mut damaged = file.clone();
    damaged[summary.pages().end - 1] ^= 1;
    assert!(!image_pack::pages_are_good(&damaged));
    let tables = &file[summary.tables..][..summary.tables_len];
    for at in 0..tables.len() {
        let damaged = tables.to_vec().leak();
        damaged[at] ^= 1 << (at % 8);
        assert!(Tables::open(damaged, &summary).is_none(), "byte {at}");
        // Whatever passes the checksum leads out of neither tables nor pages.
        let passed = Summary { tables_check: xxh3_64(damaged), ..summary };
        let Some(tables) = Tables::open(damaged, &passed) else { continue };
        let total: usize = summary.lens.iter().sum();
        let within = |part: &Range<usize>| part.start >= 4096 && part.end <= 4096 + total;
        assert!(tables.codes(4096).all(|code| within(&code.text)), "byte {at}");
        assert!(tables.words().all(|word| word.at as usize + 8 <= total), "byte {at}");
        let _ = (tables.externals().count(), tables.stub(4096, 0, 1), tables.stubs().count());
    }
}
